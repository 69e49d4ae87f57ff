"""The icon as pictures: small, drawn from the SVG that there is now, and full to the corners on a telephone."""

import pytest
from PIL import Image

from book._ext import icons
from book.figures import icon


@pytest.mark.parametrize("picture", icon.SIZES, ids=lambda path: path.name)
def test_it_is_drawn_from_the_icon(picture):
    with Image.open(picture) as image:
        assert image.size == (icon.SIZES[picture],) * 2
        assert image.text[icon.SOURCE] == icon.digest(), "draw it again: python -m book.figures.icon"
        alpha = image.convert("RGBA").getpixel((0, 0))[3]
        assert alpha == (255 if picture == icon.LARGE else 0)
    assert picture.stat().st_size < 5_000


def test_the_links_name_the_pictures_and_their_sizes():
    assert {name: size for name, size in icons.ICONS.values()} == {path.name: size for path, size in icon.SIZES.items()}
    assert icons.links(lambda place: f"../{place}").count('href="../_static/') == 2
