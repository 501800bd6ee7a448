/** The animations of a model: which one moves it, and the moment that is shown. */
import { AnimationMixer, type Group } from "three";
import type { Pose } from "./view";

export class Animation {
  readonly #mixer: AnimationMixer;
  #chosen: number | null = null;

  constructor(readonly model: Group) {
    this.#mixer = new AnimationMixer(model);
  }

  /** The names of the animations, as the file has them. */
  get names(): string[] {
    return this.model.animations.map(({ name }) => name);
  }

  /** In seconds; 0 for an animation that is not there. */
  durationOf(animation: number): number {
    return this.model.animations[animation]?.duration ?? 0;
  }

  /** Shows a moment; null, or an animation that is not there, shows the pose of the file. */
  show(pose: Pose | null): void {
    const clip = pose === null ? undefined : this.model.animations[pose.animation];
    if (pose === null || clip === undefined) {
      this.#mixer.stopAllAction();
      this.#chosen = null;
      return;
    }
    if (this.#chosen !== pose.animation) {
      this.#mixer.stopAllAction();
      this.#mixer.clipAction(clip).play();
      this.#chosen = pose.animation;
    }
    // An animation ends with its last frame; past it, it begins again.
    this.#mixer.setTime(clip.duration > 0 ? Math.min(pose.time, clip.duration - 1e-4) : 0);
  }
}
