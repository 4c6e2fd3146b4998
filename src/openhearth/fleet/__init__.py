"""The fleet: machines that offer work, and what joins them.

In: requests for tokens, and jobs. Out: streams of deltas, and jobs carried out, from whichever node
has what they need. One machine is a fleet of one. It owns the subjects on which the parts of the
platform speak to each other, and who is there.
"""
