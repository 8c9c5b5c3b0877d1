"""How fast Heddle is, beside a floor and beside the usual way: `./run bench`.

One module per thing measured; each has a `measure(bench)`, and stands in the list in `__main__.py`.
"""
