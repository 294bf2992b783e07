// Drives an uploaded video: the server plays and tracks it, this shows what comes.

export class VideoDriver {
  /** work: the panel (work.js). */
  constructor(work, session) {
    this.work = work;
    this.live = false;
    this.total = session.clip.frames;
    this.state = { frame: 0, playing: false, tracking: false, ended: false };
    this.pictured = 0; // frame on the screen; previews lag behind state.frame
    this.wanted = null; // frame to seek to once the last seek has been answered
    this.seeking = false;
    work.stage.setSize(session.clip.width, session.clip.height);
    work.stage.zoomFit();
    this.suggestion = session.rows.length ? null : session.suggestion;
  }

  async open(channel) {
    this.channel = channel;
  }

  get last() {
    return this.total === null ? Math.max(this.state.frame, this.work.lastFrame, 1) : this.total - 1;
  }

  message(message) {
    if (message.type !== "state") return;
    this.state = message;
    if (message.ended) this.total = message.frame + 1; // headers may promise more
    this.seeking = false;
    if (this.wanted !== null) this.seek(this.wanted);
  }

  async picture(header, jpeg) {
    const order = (this.order = (this.order ?? 0) + 1);
    const bitmap = await createImageBitmap(jpeg);
    if (order < (this.shown ?? 0)) return bitmap.close(); // decoded out of order
    this.shown = order;
    this.pictured = header.frame;
    if (this.state.playing) this.state.frame = header.frame; // else the state message says it
    this.work.show(bitmap, header.rows, header.area ?? null);
    if (this.suggestion) {
      this.work.stage.setDraft(this.suggestion);
      this.suggestion = null;
    }
  }

  toggle() {
    if (this.state.playing) this.channel.send({ type: "pause" });
    else {
      this.work.stage.setDraft(null);
      if (this.state.ended) this.channel.send({ type: "seek", frame: 0 });
      this.channel.send({ type: "play" });
    }
  }

  seek(frame) {
    if (this.seeking) {
      this.wanted = frame;
      return;
    }
    [this.seeking, this.wanted] = [true, null];
    this.state.frame = frame;
    this.channel.send({ type: "seek", frame });
  }

  begin() {
    if (this.state.playing) this.channel.send({ type: "pause" });
  }

  cancel() {}

  /** id: target to correct, null for a new one. */
  track(box, id) {
    this.channel.send({ type: "target", frame: this.pictured, box, id });
  }

  release(id) {
    this.channel.send({ type: "release", id });
  }

  hint() {
    const { playing, tracking, ended, frame } = this.state;
    if (tracking && playing) return "Tracking.";
    if (ended) return "End of the video. Replay it, or go to any frame and draw the box anew.";
    if (tracking) return "Paused. Go on, or draw a box: to correct a target from here, or for a new one.";
    if (playing) return "Playing without a target. Draw a box as soon as you see one.";
    if (this.work.rows.size && frame > 0) return "Draw a box to track again from this frame on.";
    return "Draw a box around what to follow. Play on if it is not there yet.";
  }

  close() {}
}
