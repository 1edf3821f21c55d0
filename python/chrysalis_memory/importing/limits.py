"""Bounds of what importers take: files come from anywhere, and none may take the machine's memory with it."""

from __future__ import annotations

from typing import Final

FILE_BYTES_MAX: Final = 512 << 20
"""Largest file that is read as one document. The largest chat exports seen are about a quarter of it; JSON lines
have no such bound, because they are read line by line."""

LINE_BYTES_MAX: Final = 4 << 20
"""Longest line of a file of JSON lines: one record."""

DOCUMENT_BYTES_MAX: Final = 16 << 20
"""Largest Markdown file: prose of a thousand pages is 3 MB."""

CONTENT_BYTES_MAX: Final = 32 << 10
"""Longest content of one memory made by an importer, in UTF-8. Half of a store's default bound for one operation,
so that metadata always fits beside it; what is longer becomes several memories in a row."""

FOLDER_FILES_MAX: Final = 100_000
"""Files of one folder that are imported in one go."""

NAME_BYTES_MAX: Final = 1024
"""Bytes of a tag, speaker, thread, scope or type; the same bound as in the core."""

LIST_MAX: Final = 1024
"""Tags or links of one memory; the same bound as in the core."""
