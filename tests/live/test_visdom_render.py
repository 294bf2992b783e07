import numpy as np
import pytest

from pytracking_et.errors import ParameterError
from pytracking_et.live.visdom_render import (
    LINE_POINTS,
    MODES,
    TRACKING_WIDTH,
    Panel,
    as_picture,
    draw_tracking,
    plot,
)


class Client:
    """Takes what a visdom client would send."""

    def __init__(self, has_plotly=False):
        self.has_plotly, self.calls = has_plotly, []

    def __getattr__(self, name):
        return lambda *data, **options: self.calls.append((name, data, options))


IMAGE = np.full((60, 80, 3), 90, np.uint8)
DATA = {
    "image": IMAGE,
    "heatmap": np.eye(18),
    "cost_volume": np.ones((5, 5, 7, 7)),
    "cost_volume_flip": np.ones((5, 5, 7, 7)),
    "cost_volume_ui": np.ones((7, 7)),
    "info_dict": {"FPS": 30.5},
    "text": "<b>help</b>",
    "lineplot": 0.5,
    "Tracking": (IMAGE, [10, 10, 20, 20]),
    "bbreg": (IMAGE, np.array([[1, 2, 30, 40], [5, 6, 7, 8]])),
    "featmap": np.ones((96, 18, 18)),
}


@pytest.mark.parametrize("plotly", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pytracking_makes_one_window_of_its_title(mode, plotly):
    client, panel = Client(plotly), Panel("My Panel", mode)
    panel.set(DATA[mode])
    panel.send(client, panel.snapshot())
    ((name, data, options),) = client.calls
    assert options["win"] == options["opts"]["title"] == "My Panel"
    if name == "image":
        assert data[0].shape[0] == 3 and data[0].dtype == np.uint8


@pytest.mark.parametrize(("plotly", "name"), [(True, "heatmap"), (False, "image")])
def test_heatmap_is_a_plot_where_the_server_has_plotly(plotly, name):
    client, panel = Client(plotly), Panel("Score Map", "heatmap")
    values = np.zeros((4, 6), np.float32)
    values[0, 5] = 1.0  # upper right
    panel.set(values)
    panel.send(client, panel.snapshot())
    called, (sent,), _ = client.calls[0]
    assert called == name
    if plotly:
        assert sent[3, 5] == 1.0  # Plotly's first row is the lowest
    else:
        bright = sent.astype(int).sum(axis=0)
        row, column = np.unravel_index(bright.argmax(), bright.shape)
        assert row < sent.shape[1] // 4 and column > sent.shape[2] * 3 // 4


def test_html_in_status_values_is_text():
    client, panel = Client(), Panel("Status", "info_dict")
    panel.send(client, {"<b>": "<script>alert(1)</script>"})
    assert "<script>" not in client.calls[0][1][0]


def test_line_plot_appends_and_stays_bounded():
    panel = Panel("Max Score", "lineplot")
    for value in (0.5, np.float32(0.25), [0.75], (0.125, 9)):
        panel.set(value)
    assert panel.snapshot() == [(0.0, 0.5), (1.0, 0.25), (2.0, 0.75), (9.0, 0.125)]
    for _ in range(2 * LINE_POINTS):
        panel.set(1.0)
    assert len(panel.snapshot()) == LINE_POINTS


@pytest.mark.parametrize("points", [[], [(0, 0.5)], [(0, np.nan)], [(0, -3.0), (1, 7.0)]])
def test_plot_as_a_picture(points):
    picture = plot(points)
    assert picture.shape == (240, 400, 3)


@pytest.mark.parametrize(
    "image",
    [
        IMAGE,
        IMAGE[..., 0],
        IMAGE.transpose(2, 0, 1),
        IMAGE[None].transpose(0, 3, 1, 2),
        IMAGE / 255.0,
        IMAGE.astype(np.float64),
    ],
)
def test_images_of_all_kinds(image):
    picture = as_picture(image)
    assert picture.shape == (60, 80, 3) and picture.dtype == np.uint8
    assert abs(int(picture[5, 5, 1]) - 90) <= 1


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    tensor = torch.full((3, 60, 80), 0.5, requires_grad=True)
    assert as_picture(tensor)[0, 0].tolist() == [127, 127, 127]


def test_tracking_draws_boxes_and_masks_and_shrinks():
    image = np.full((300, 960, 3), 90, np.uint8)
    mask = np.zeros((300, 960), np.uint8)
    mask[200:, :] = 1
    picture = draw_tracking((image, {1: [100, 50, 200, 100]}, mask))
    assert picture.shape == (150, TRACKING_WIDTH, 3)
    assert np.ptp(picture[50, 50].astype(int)) > 30  # the box's left side at x = 100
    assert np.ptp(picture[140, 240].astype(int)) > 30  # the mask
    assert picture[10, 300].tolist() == [90, 90, 90]


@pytest.mark.parametrize(
    ("mode", "data"),
    [
        ("image", np.zeros((5, 5, 7))),
        ("heatmap", np.zeros((5, 5, 5))),
        ("Tracking", (IMAGE, np.zeros((3, 3)))),
    ],
)
def test_data_that_cannot_be_drawn(mode, data):
    panel = Panel("X", mode)
    panel.set(data)
    with pytest.raises(ParameterError):
        panel.send(Client(), panel.snapshot())
    with pytest.raises(ParameterError):
        Panel("X", "lineplot").set([])
