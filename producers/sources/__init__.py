"""Where events come from: files and tables of counts."""
