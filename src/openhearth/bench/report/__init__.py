"""Reports that anybody can check: figures, what is needed to repeat them, and who vouches for them.

In: raw records and a disclosure. Out: a directory with `report.html`, `report.json`,
`records.parquet` and `disclosure.json`, whether one of somebody else holds, and a board of many.
"""
