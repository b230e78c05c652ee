"""The demo room: a made catalog of product photos comes in, a finished contact sheet goes out."""
