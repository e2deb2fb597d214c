"""The same run on Apache Spark: its driver, its exchange of keys, and how large to cut."""
