"""The one place that reads and writes images, sound and arrays.

Each kind is a module of its own, to be imported where it is needed (`image` loads Pillow):

- `faltung.files.image`: `read_image`, `write_image`: PNG, JPEG, BMP, GIF, TIFF;
- `faltung.files.sound`: `read_sound`, `write_sound`: WAV;
- `faltung.files.array`: `read_array`, `write_array`: NPY;
- `faltung.files.archive`: `read_archive`, `write_archive`: NPZ;
- `faltung.files.table`: `read_table`: the columns of a CSV table that hold numbers;
- `faltung.files.column`: `read_column`: a column of a CSV table;
- `faltung.files.depth`: `to_depth`, from computed values to whole numbers of so many bits.

What is read has the numbers of the file, at their depth. A file that cannot be read is one error
that names it, whatever its parser raised; no header's claim takes memory before it is checked
against a stated limit or against the size of the file. Files are written whole or not at all.
"""

from __future__ import annotations
