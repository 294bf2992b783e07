"""Small trackers of others as plug-ins, to measure ours against: tracker `peers`.

    PYTHONPATH=. PYTRACKING_ET_PLUGINS=benchmarks.peers ettrack run peers fear_xs --dataset otb

in the root of a checkout. Their ONNX files, which are not part of this repository, lie in
PYTRACKING_ET_PEERS (default ../shared/peers). Loops written from the papers and the files' shapes.
"""
