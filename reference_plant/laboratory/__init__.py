"""The reference plant's laboratory: workbooks as people fill them in, good rows and wrong ones.

What a sample holds follows from the simulated plant; when a workbook is handed in follows from plant time.
"""
