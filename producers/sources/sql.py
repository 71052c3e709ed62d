"""placeholder"""

from producers.sources.form import Source

SOURCE = Source("sql", ("数据库视图", "view of a database"), "popflow poll")
