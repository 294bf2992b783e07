# E.T.Track without PyTorch, for x86-64 and 64-bit ARM: docker build --tag ettrack .
FROM python:3.12-slim AS build
WORKDIR /source
COPY . .
# PyTorch (its build for the CPU) writes the graphs, and stays behind in this stage.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu ".[onnx]"
# OpenCV without windows needs no libraries of the system.
RUN pip uninstall --yes opencv-python \
 && pip install --no-cache-dir --no-deps --force-reinstall opencv-python-headless
RUN ettrack export --format onnx --output /graphs
RUN python -m venv /ettrack \
 && /ettrack/bin/pip install --no-cache-dir numpy opencv-python-headless onnxruntime tqdm \
    imageio-ffmpeg starlette uvicorn websockets segno \
 && /ettrack/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
COPY --from=build /graphs /graphs
COPY --from=build /ettrack /ettrack
ENV PATH=/ettrack/bin:$PATH PYTRACKING_ET_CHECKPOINT=/graphs
RUN useradd --groups video ettrack && install --directory --owner ettrack /data
USER ettrack
WORKDIR /data
ENTRYPOINT ["ettrack"]
CMD ["--help"]
