# The three commands of the README: setup (done by the others), demo, test.
PRESET ?= release
JOBS ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
BUILD = build/$(PRESET)

.PHONY: help setup build demo test test-interop check clean
help:
	@echo "make demo    install what is missing, build, fine-tune a real model on real data"
	@echo "make test    install what is missing, build, run every test"
	@echo "make test-interop   tests beside the real programs (installs gigabytes: PyTorch, mlx-lm, llama.cpp, Ollama)"
	@echo "make build   build all programs into $(BUILD)/bin   (PRESET=cuda for NVIDIA GPUs; dev|asan-ubsan|tsan)"
	@echo "make check   format, layers, file sizes"
	@echo "make setup   only install (apt or brew, then Python wheels through uv)"

setup:
	@scripts/setup $(if $(filter cuda,$(PRESET)),--cuda)

build: setup
	cmake --preset $(PRESET)
	cmake --build $(BUILD) -j $(JOBS)

demo: build
	scripts/demo $(BUILD)/bin/mlx-toolkit

test: build
	ctest --preset $(PRESET) -j $(JOBS) --no-label-summary

test-interop: build
	scripts/setup --ollama
	scripts/setup --llama-server
	scripts/setup --peers
	ctest --preset $(PRESET) -L interop -j $(JOBS) --no-label-summary

check:
	scripts/check

clean:
	rm -rf build
