"""One file and one plain class per kind of reader; chosen by `devices.open_reader`."""
