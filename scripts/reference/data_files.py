"""Makes tests/fixtures/data: the same rows as pandas, pyarrow and json write them.

rows.csv and rows.tsv (pandas), rows_snappy.parquet, rows_zstd.parquet, rows_gzip.parquet and rows_plain.parquet
(pyarrow; two row groups each, with nested messages and nulls), rows.json (an array), and expected.json: the rows as
pandas and pyarrow read them back. Made with pandas 2.3.3 and pyarrow 22.0.0.
Run: uv run --with pandas==2.3.3 --with pyarrow==22.0.0 scripts/reference/data_files.py
"""

import json
from pathlib import Path

import pandas
import pyarrow
import pyarrow.parquet

OUTPUT = Path(__file__).resolve().parents[2] / "tests/fixtures/data"

TABLE = [
    {"question": "What is 2 + 2?", "answer": "4", "note": ""},
    {"question": 'Say "hi", twice', "answer": 'hi, "hi"', "note": "a,b"},
    {"question": "Two\nlines", "answer": "first\nsecond\n", "note": "tab\there"},
    {"question": "äöü 你好 😀", "answer": "  spaces  ", "note": "'"},
    {"question": '""', "answer": '"', "note": ","},
]

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo", "days": 2}'}}
CHATS = [
    {"messages": [{"role": "user", "content": "Hello", "tool_calls": None},
                  {"role": "assistant", "content": "Hi!", "tool_calls": None}], "score": 0.5, "id": 1},
    {"messages": [{"role": "user", "content": "Weather in Oslo?", "tool_calls": None},
                  {"role": "assistant", "content": None, "tool_calls": [CALL]}], "score": None, "id": 2},
    {"messages": [{"role": "user", "content": "äöü 😀\n", "tool_calls": None},
                  {"role": "assistant", "content": "Ja.", "tool_calls": None}], "score": -1.25, "id": 3},
]


def without_nulls(value):
    """A reader of rows cannot tell a null member of a struct from one that is not there."""
    if isinstance(value, dict):
        return {key: without_nulls(member) for key, member in value.items() if member is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def main():
    OUTPUT.mkdir(parents=True, exist_ok=True)
    frame = pandas.DataFrame(TABLE)
    frame.to_csv(OUTPUT / "rows.csv", index=False)
    frame.to_csv(OUTPUT / "rows.tsv", index=False, sep="\t")
    table = pyarrow.Table.from_pylist(CHATS)
    for name in ("snappy", "zstd", "gzip", "none"):
        path = OUTPUT / f"rows_{'plain' if name == 'none' else name}.parquet"
        pyarrow.parquet.write_table(table, path, compression=name, row_group_size=2)
    (OUTPUT / "rows.json").write_text(json.dumps(CHATS, ensure_ascii=False))
    (OUTPUT / "rows_indented.json").write_text(json.dumps(CHATS, indent=2) + "\n")
    expected = {
        "versions": {"pandas": pandas.__version__, "pyarrow": pyarrow.__version__},
        "table": pandas.read_csv(OUTPUT / "rows.csv", keep_default_na=False).to_dict("records"),
        "chats": without_nulls(pyarrow.parquet.read_table(OUTPUT / "rows_snappy.parquet").to_pylist()),
    }
    (OUTPUT / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
