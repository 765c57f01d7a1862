"""Models of the Hugging Face hub, read by ranges: what is asked for is fetched, the rest stays where it is.

Here live: addresses, the client, and the mirror, a folder on this machine that fills where it is read.
Not here: any format. Readers see local files; `readers.span` asks the mirror for what is missing.
"""
