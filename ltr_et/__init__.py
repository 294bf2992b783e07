"""Training of E.T.Track, in the shape of pytracking's ltr."""
