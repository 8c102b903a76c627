"""Images and files that go along with a message: from whatever a notebook has, ready to be sent."""

from nbconvo.media.attaching import attached, file_of, image_of
from nbconvo.media.pictures import LONGEST_SIDE, picture, thumbnail
from nbconvo.media.sources import is_address

__all__ = ["LONGEST_SIDE", "attached", "file_of", "image_of", "is_address", "picture", "thumbnail"]
