// Drives the browser's camera: sends frames, shows each one when its box has come back.

const IN_FLIGHT = 2; // frames on their way; more only makes the picture older
const LONGEST = 1280; // pixels; larger frames cost time and gain nothing: the crop is 288 pixels
const QUALITY = 0.85;

export class CameraDriver {
  constructor(work) {
    this.work = work;
    this.live = true;
    this.total = null;
    this.video = document.getElementById("camera-video");
    this.next = this.zero = 0; // number of the next frame, seconds at the start; see "hello"
    this.sent = Promise.resolve(); // once the frame before has left
    this.pending = new Map(); // number -> canvas that was sent
    this.started = Infinity; // frame the target was last drawn on
    this.frozen = null; // canvas the user draws on
    this.state = { frame: 0, playing: true, tracking: false, ended: false };
    this.closed = false;
  }

  /** Ask for the camera. Throws an Error that says why there is none. */
  async open(channel) {
    this.channel = channel;
    await this.start();
    this.since = performance.now();
    this.listen();
  }

  async start(device) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("A browser gives its camera only to a page of this computer (http://127.0.0.1) or one with https.");
    }
    this.stream?.getTracks().forEach((track) => track.stop());
    const wish = { width: { ideal: LONGEST }, height: { ideal: 720 } };
    Object.assign(wish, device ? { deviceId: { exact: device } } : { facingMode: "environment" });
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wish, audio: false });
    } catch (error) {
      throw new Error(reason(error));
    }
    if (this.closed) { // while the user was asked
      this.stream.getTracks().forEach((track) => track.stop());
      return;
    }
    const [track] = this.stream.getVideoTracks();
    track.addEventListener("ended", () => this.unplugged(track));
    this.video.srcObject = this.stream;
    await this.video.play();
    this.work.listCameras(await navigator.mediaDevices.enumerateDevices(), track.getSettings().deviceId);
  }

  unplugged(track) {
    if (this.closed || !this.stream.getTracks().includes(track)) return;
    this.state.ended = true;
    this.state.playing = this.state.tracking = false;
    this.work.notice("The camera has gone. The boxes so far are kept and can be downloaded.", true);
    this.work.update();
  }

  async choose(device) {
    this.release();
    await this.start(device);
    this.state.ended = false;
    this.state.playing = true;
    this.work.update();
  }

  listen() {
    const tick = () => {
      if (this.closed) return;
      this.frame();
      if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(tick);
      else requestAnimationFrame(tick);
    };
    tick();
  }

  /** A new picture of the camera: send it, or just show it while nothing is tracked. */
  frame() {
    if (!this.video.videoWidth || this.frozen || !this.state.playing || this.state.ended) return;
    const { videoWidth, videoHeight } = this.video;
    const scale = Math.min(1, LONGEST / Math.max(videoWidth, videoHeight));
    this.size = [Math.round(videoWidth * scale), Math.round(videoHeight * scale)];
    this.work.stage.setSize(...this.size);
    if (!this.state.tracking) this.work.show(this.capture(), []);
    else if (this.pending.size < IN_FLIGHT && this.channel.open) this.send(this.capture(), null);
  }

  capture() {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = this.size;
    canvas.getContext("2d").drawImage(this.video, 0, 0, ...this.size);
    return canvas;
  }

  send(canvas, box, id = null) {
    const number = this.next++;
    const time = this.zero + (performance.now() - this.since) / 1000;
    this.pending.set(number, canvas);
    const jpeg = new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", QUALITY); });
    const header = box ? { frame: number, time, box, id } : { frame: number, time };
    // Encoders overtake each other, frames must not: a box counts for those after its own.
    this.sent = Promise.all([jpeg, this.sent]).then(([data]) => this.channel.sendFrame(header, data));
  }

  message(message) {
    if (message.type === "rows") {
      const row = message.rows[message.rows.length - 1];
      const canvas = this.pending.get(row[0]);
      this.settle(row[0]);
      const rows = message.rows.filter((each) => each[0] === row[0]);
      if (canvas && this.state.tracking && !this.frozen) this.work.show(canvas, rows);
    } else if (message.type === "skipped" || (message.type === "error" && message.frame !== undefined)) {
      this.settle(message.frame);
      // The box was refused; others may be tracked.
      if (message.frame >= this.started) this.state.tracking = Boolean(this.state.active?.length);
    } else if (message.type === "state") {
      this.state.active = message.active;
      if (this.stopped && message.active.length) { // its box was on the way when the user stopped
        this.stopped = false;
        this.channel.send({ type: "release", id: null });
      } else if (!this.pending.has(this.started)) this.state.tracking = message.active.length > 0;
    } else if (message.type === "lost") {
      this.state.tracking = false;
      this.work.notice(message.message, true);
    } else if (message.type === "hello") {
      this.pending.clear(); // after a reconnection nobody answers the old ones
      this.state.tracking = this.stopped = false;
      const [number, seconds] = message.session.next;
      if (number > this.next) [this.next, this.zero] = [number, seconds + 0.1]; // a page before this one
    }
  }

  /** Frames up to this one are answered or were overtaken. */
  settle(number) {
    this.state.frame = number;
    for (const key of this.pending.keys()) if (key <= number) this.pending.delete(key);
  }

  toggle() {
    if (this.frozen) this.work.stage.setDraft(null);
    this.frozen = null;
    this.state.playing = !this.state.playing;
  }

  /** The user starts to draw: hold the picture on the screen still. */
  begin() {
    if (!this.frozen) this.frozen = this.work.stage.picture;
  }

  cancel() {
    this.frozen = null;
  }

  track(box, id) {
    this.state.tracking = this.state.playing = true;
    const canvas = this.frozen;
    this.frozen = null;
    this.stopped = false;
    this.pending.clear();
    this.started = this.next;
    this.send(canvas, box, id);
  }

  release(id = null) {
    const others = (this.state.active ?? []).filter((each) => each !== id);
    const coming = this.pending.has(this.started);
    this.state.tracking = id !== null && (coming || others.length > 0);
    this.stopped = id === null && coming;
    if (!this.state.tracking) this.pending.clear();
    this.channel.send({ type: "release", id });
  }

  hint() {
    if (this.state.ended) return "The camera has gone. Choose another, or open a new source.";
    if (!this.state.playing) return "Paused.";
    if (this.state.tracking) return "Tracking.";
    return "Draw a box around what to follow; the picture holds still meanwhile.";
  }

  close() {
    this.closed = true;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}

function reason(error) {
  if (error.name === "NotAllowedError") return "The camera is blocked. Allow it for this page in the address bar.";
  if (error.name === "NotFoundError") return "No camera was found. Plug one in, or open a video.";
  if (error.name === "NotReadableError") return "The camera is in use by another program.";
  return `The camera cannot be opened (${error.message || error.name}).`;
}
