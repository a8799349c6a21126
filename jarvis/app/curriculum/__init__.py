"""What to practise next: a book of goals, proposers that fill it, selectors that read it, and the loop around them.

backend     what a place offers: names, what it can set and tell, its tech tree
book        goals and attempts as an append-only log; what is known follows from it by replay
admission   which goals and lessons may enter the book
selectors   what to practise next, from numbers alone
replies     from whatever a language model answers to checked items
llm         a language model with a budget, a transcript and no say in success
proposers   techtree, envgen, lma3, webrl, and the controls random, fixed and uniform
relabel     what was achieved, whatever was asked
loop        propose, play, verify, relabel, train, evaluate; it resumes at any kill
page        the book as a page to look at
"""
