"""The model process: the supervisor on our side, the worker that owns llama.cpp on the other."""
