import pytest

from ltr_et import jsonl


@pytest.mark.parametrize("torn", ['{"samples": 2', "[1]", "3", '{"name": "\u00e9'])
def test_a_torn_line_costs_itself_alone(tmp_path, caplog, torn):
    path = tmp_path / "made" / "log.jsonl"
    jsonl.append(path, {"samples": 1})
    with path.open("ab") as stream:
        stream.write(torn.encode()[:-1] if torn.endswith("\u00e9") else torn.encode())
    jsonl.append(path, {"samples": 3})
    assert jsonl.read(path) == [{"samples": 1}, {"samples": 3}]
    assert f"{path} line 2 is damaged" in caplog.text


def test_no_file_no_records(tmp_path):
    assert jsonl.read(tmp_path / "log.jsonl") == []
