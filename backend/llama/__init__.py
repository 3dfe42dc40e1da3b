"""The lean llama.cpp loop. The only place that imports llama_cpp."""
