#pragma once

#include "core/store/migrations.h"

namespace toolkit::monitor {

/// Tables sessions and benchmarks are what other programs of the suite read: their columns stay.
/// `weight` counts the seconds that are in a sample's means.
inline constexpr store::Migration kHistorySchema[] = {{1, R"sql(
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    model_name TEXT NOT NULL,
    started_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    ended_at DATETIME,
    avg_tokens_per_sec REAL,
    total_tokens INTEGER,
    peak_memory_gb REAL
);
CREATE TABLE benchmarks (
    id INTEGER PRIMARY KEY,
    model_name TEXT NOT NULL,
    ran_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    avg_tokens_per_sec REAL,
    p50_latency_ms REAL,
    p95_latency_ms REAL,
    peak_memory_gb REAL,
    prompt_count INTEGER
);
CREATE TABLE benchmark_details (
    benchmark_id INTEGER PRIMARY KEY REFERENCES benchmarks(id) ON DELETE CASCADE,
    server TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE TABLE samples (
    resolution_s INTEGER NOT NULL,
    time_s INTEGER NOT NULL,
    model TEXT NOT NULL,
    weight INTEGER NOT NULL,
    tokens_per_second REAL,
    gpu_percent REAL,
    temperature_c REAL,
    power_w REAL,
    model_bytes REAL,
    memory_used_bytes REAL,
    PRIMARY KEY (resolution_s, time_s, model)
) WITHOUT ROWID;
CREATE INDEX sessions_started ON sessions(started_at);
)sql"}};

}  // namespace toolkit::monitor
