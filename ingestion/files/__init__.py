"""Files that machines and people drop: delimited, workbooks, XML, JSON, fixed width; judged row by row."""
