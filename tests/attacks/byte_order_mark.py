"""Put a byte order mark before the notebook: a right answer must still count."""

CELLS = {"entropy": "MODEL"}
EARNS = MUST_EARN = 3.0


def write(file, text):
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
