"""The log: a directory of append-only JSON Lines files, one for each session and run.

A line is one event, an object with ``event``, ``time`` (ISO 8601, UTC) and what belongs to it;
the first line of a file also has ``version``. Readers pass over events and fields unknown to them.

==========  =====================================================================================
session     name, system, service, model, options, nbconvo: the settings that hold from here on
message     the fields of a message (``None`` left out) and its ``parent``; it is put in the tree,
            and the active path stays as it was. Of ``attachments`` it has all but the bytes: these
            are in the file ``attachments/DIGEST`` beside the log, DIGEST being their SHA-256
active      leaf: the id of the message where the active path ends from here on, or null
error       text, error (its class), asked
==========  =====================================================================================
"""

from nbconvo.log.encoding import decode_message, encode_message, to_line
from nbconvo.log.reading import Recorded, read
from nbconvo.log.writing import Log

__all__ = ["Log", "Recorded", "decode_message", "encode_message", "read", "to_line"]
