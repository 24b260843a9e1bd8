# The studio for a server at home. The address that it prints has the token that lets people in.
#
#   docker build -t autostudio .
#   docker run -p 7860:7860 -v autostudio:/studio autostudio
FROM python:3.11-slim-bookworm

# skia draws with these.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libegl1 libgl1 libglib2.0-0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /autostudio
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY . .

RUN useradd --create-home studio && mkdir /studio && chown studio /studio
USER studio
# Likes and caches lie in the volume, beside the books.
ENV VIBE_MEMORY_PATH=/studio/vibe_memory.json AUTOSTUDIO_CACHE=/studio/cache HF_HOME=/studio/models
VOLUME /studio
EXPOSE 7860
CMD ["python", "run.py", "studio", "--workspace", "/studio", "--host", "0.0.0.0", "--no_open"]
