import json

import pytest

from ltr_et.dataset.official import Coco
from pytracking_et.errors import DatasetError

from ..tiny import scene, write_image


def write(root, annotations):
    content = {
        "images": [{"id": 7, "file_name": "000000000007.jpg"}, {"id": 9, "file_name": "9.jpg"}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": annotations,
    }
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))


def row(number, image, box, **more):
    return {"id": number, "image_id": image, "category_id": 3, "bbox": box, "iscrowd": 0, **more}


def test_layout(tmp_path):
    boxes = [[10, 20, 30, 30], [60, 20, 30, 30]]
    rows = [row(1, 7, boxes[0]), row(2, 9, boxes[0]), row(3, 7, boxes[1])]
    rows += [row(4, 7, [0, 0, 50, 50], iscrowd=1), row(5, 7, [0, 0, 5, 50])]
    write(tmp_path, rows)
    write_image(tmp_path / "images" / "train2017" / "000000000007.jpg", scene(boxes))
    dataset = Coco(tmp_path)
    assert [dataset.track_name(i) for i in range(len(dataset))] == ["1", "2", "3"]
    assert dataset.others(0, 0).tolist() == [boxes[1]]
    assert len(dataset.others(1, 0)) == 0
    assert dataset.category(2) == "cat"
    assert dataset.clip_name(0) == dataset.clip_name(2) != dataset.clip_name(1)
    assert dataset.read_frame(2, 0)[30, 70, 1] > 180


@pytest.mark.parametrize(
    ("version", "words"), [("2014", "cannot read"), ("2017", "no box of at least 12")]
)
def test_errors(tmp_path, version, words):
    write(tmp_path, [row(1, 7, [0, 0, 5, 50])])
    with pytest.raises(DatasetError, match=words):
        Coco(tmp_path, version=version)


def test_another_json_is_refused(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_train2017.json").write_text("[]")
    with pytest.raises(DatasetError, match="not a COCO annotation file"):
        Coco(tmp_path)
