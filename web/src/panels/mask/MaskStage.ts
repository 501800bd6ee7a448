/**
 * The image and its mask on the screen, and the pointer: pan, zoom, pinch, paint. Konva moves the
 * image and receives pointer events; `raster.ts` does the painting. Makes no requests.
 */
import Konva from "konva";
import { MaskHistory } from "./history";
import * as raster from "./raster";

export type Tool = "brush" | "eraser" | "fill" | "hand";

export interface Choices {
  tool: Tool;
  size: number;
  hardness: number;
  tolerance: number;
}

interface Options {
  container: HTMLDivElement;
  picture: HTMLImageElement;
  mask: raster.Mask;
  choices: () => Choices;
  colour: string;
  /** Called after painting, undo and zoom. */
  onChange: () => void;
}

const NEAREST = 32;
const FARTHEST = 0.05;
const OPACITY = 0.6;

export class MaskStage {
  readonly mask: raster.Mask;
  readonly history: MaskHistory;
  readonly #options: Options;
  readonly #stage: Konva.Stage;
  readonly #layer: Konva.Layer;
  readonly #drawn: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #ring: Konva.Circle;
  readonly #tint: readonly [number, number, number];
  #colours: raster.Colours | null = null;
  /** The current stroke: the mask before it, the last place of the pointer, the changed part. */
  #stroke: { before: raster.Mask; last: { x: number; y: number }; part: raster.Part } | null = null;
  #pinch: { distance: number; x: number; y: number } | null = null;
  /** While it is held, a drag moves the image instead of painting. */
  #held = false;
  #share: number | null = null;
  /** The place of the keyboard's brush, in pixels of the image. */
  #place: { x: number; y: number };

  constructor(options: Options) {
    const { container, picture, mask } = options;
    this.#options = options;
    this.mask = mask;
    this.history = new MaskHistory(mask);
    this.#tint = channelsOf(options.colour);
    this.#place = { x: mask.width / 2, y: mask.height / 2 };
    this.#stage = new Konva.Stage({
      container,
      width: container.clientWidth,
      height: container.clientHeight,
    });
    this.#drawn = document.createElement("canvas");
    this.#drawn.width = mask.width;
    this.#drawn.height = mask.height;
    this.#context = contextOf(this.#drawn);
    this.#layer = new Konva.Layer({ imageSmoothingEnabled: false, listening: false });
    this.#layer.add(new Konva.Image({ image: picture, width: mask.width, height: mask.height }));
    this.#layer.add(new Konva.Image({ image: this.#drawn, opacity: OPACITY }));
    this.#ring = new Konva.Circle({ radius: 1, strokeWidth: 1.5, strokeScaleEnabled: false });
    this.#ring.stroke("#ffffff");
    // A white line alone would be invisible on a white image.
    this.#ring.shadowColor("#000000").shadowBlur(2).visible(false);
    this.#layer.add(this.#ring);
    this.#stage.add(this.#layer);
    this.#listen();
    this.fit();
    this.redraw(raster.whole(mask));
  }

  get zoom(): number {
    return this.#stage.scaleX();
  }

  /** The masked share of the image, from 0 to 1; during a stroke, the share before it. */
  get share(): number {
    if (this.#share !== null) return this.#share;
    let sum = 0;
    for (const value of this.mask.data) sum += value;
    this.#share = sum / 255 / this.mask.data.length;
    return this.#share;
  }

  /** While `held`, every tool moves the image, as the hand does. */
  hold(held: boolean): void {
    this.#held = held;
    this.#options.container.classList.toggle("held", held);
  }

  destroy(): void {
    this.#stage.destroy();
  }

  resize(): void {
    const { container } = this.#options;
    this.#stage.size({ width: container.clientWidth, height: container.clientHeight });
  }

  /** Shows the whole image. */
  fit(): void {
    const { width, height } = this.#stage.size();
    const scale = Math.min((width - 32) / this.mask.width, (height - 32) / this.mask.height);
    this.#stage.scale({ x: scale, y: scale });
    this.#stage.position({
      x: (width - this.mask.width * scale) / 2,
      y: (height - this.mask.height * scale) / 2,
    });
    this.#options.onChange();
  }

  zoomBy(factor: number, at = this.#middle()): void {
    const before = this.zoom;
    const scale = Math.min(NEAREST, Math.max(FARTHEST, before * factor));
    const { x, y } = this.#stage.position();
    this.#stage.scale({ x: scale, y: scale });
    this.#stage.position({
      x: at.x - ((at.x - x) / before) * scale,
      y: at.y - ((at.y - y) / before) * scale,
    });
    this.#options.onChange();
  }

  /** Changes the mask in one undo step; `act` returns the part it changed. */
  change(act: (mask: raster.Mask) => raster.Part): void {
    const before = { ...this.mask, data: this.mask.data.slice() };
    const part = act(this.mask);
    this.history.record(before, part);
    this.#share = null;
    this.redraw(part);
  }

  undo(): void {
    this.#redrawn(this.history.undo());
  }

  redo(): void {
    this.#redrawn(this.history.redo());
  }

  /** Moves the brush by keyboard; with `paint` it paints on the way. */
  step(dx: number, dy: number, paint: boolean): void {
    const last = this.#place;
    const clamp = (value: number, most: number) => Math.min(Math.max(value, 0), most);
    this.#place = {
      x: clamp(last.x + dx, this.mask.width),
      y: clamp(last.y + dy, this.mask.height),
    };
    this.#showRing(this.#place);
    if (paint) this.change((mask) => raster.paint(mask, last, this.#place, this.#brush()));
  }

  /** Applies the tool at the place of the brush. */
  act(): void {
    this.#begin(this.#place);
    this.#end();
  }

  /** Draws the tint of the masked area again, where the mask changed. */
  redraw(part: raster.Part): void {
    const { left, top, right, bottom } = raster.clipped(this.mask, part);
    if (left < right && top < bottom) {
      const image = this.#context.createImageData(right - left, bottom - top);
      const [red, green, blue] = this.#tint;
      let to = 0;
      for (let y = top; y < bottom; y += 1) {
        for (let x = left; x < right; x += 1) {
          image.data[to] = red;
          image.data[to + 1] = green;
          image.data[to + 2] = blue;
          image.data[to + 3] = this.mask.data[y * this.mask.width + x] ?? 0;
          to += 4;
        }
      }
      this.#context.putImageData(image, left, top);
    }
    this.#layer.batchDraw();
    this.#options.onChange();
  }

  #redrawn(part: raster.Part | null): void {
    if (part === null) return;
    this.#share = null;
    this.redraw(part);
  }

  #middle(): { x: number; y: number } {
    return { x: this.#stage.width() / 2, y: this.#stage.height() / 2 };
  }

  #brush(): raster.Brush {
    const { tool, size, hardness } = this.#options.choices();
    return { radius: size / 2, hardness, value: tool === "eraser" ? 0 : 255 };
  }

  #showRing({ x, y }: { x: number; y: number }): void {
    const { tool, size } = this.#options.choices();
    this.#ring.visible(tool === "brush" || tool === "eraser");
    this.#ring.position({ x, y });
    this.#ring.radius(size / 2);
    this.#layer.batchDraw();
  }

  /** The colours of the image, read on first use. */
  #pixels(): raster.Colours {
    if (this.#colours === null) {
      const canvas = document.createElement("canvas");
      canvas.width = this.mask.width;
      canvas.height = this.mask.height;
      const context = contextOf(canvas);
      context.drawImage(this.#options.picture, 0, 0, canvas.width, canvas.height);
      this.#colours = context.getImageData(0, 0, canvas.width, canvas.height).data;
    }
    return this.#colours;
  }

  #begin(at: { x: number; y: number }): void {
    const { tool, tolerance } = this.#options.choices();
    if (tool === "hand") return;
    if (tool === "fill") {
      const pixels = this.#pixels();
      this.change((mask) => raster.fill(mask, pixels, at, { tolerance, value: 255 }));
      return;
    }
    const before = { ...this.mask, data: this.mask.data.slice() };
    const part = raster.paint(this.mask, at, at, this.#brush());
    this.#stroke = { before, last: at, part };
    this.redraw(part);
  }

  #continue(at: { x: number; y: number }): void {
    if (this.#stroke === null) return;
    const part = raster.paint(this.mask, this.#stroke.last, at, this.#brush());
    this.#stroke = {
      ...this.#stroke,
      last: at,
      part: raster.joined(this.#stroke.part, part),
    };
    this.redraw(part);
  }

  #end(): void {
    if (this.#stroke === null) return;
    this.history.record(this.#stroke.before, this.#stroke.part);
    this.#stroke = null;
    this.#share = null;
    this.#options.onChange();
  }

  /** Reverts the current stroke. */
  #giveUp(): void {
    if (this.#stroke === null) return;
    const { before, part } = this.#stroke;
    this.#stroke = null;
    raster.restorePart(this.mask, part, raster.copyPart(before, part));
    this.redraw(part);
  }

  #listen(): void {
    const stage = this.#stage;
    let hand = false;
    stage.on("pointerdown", ({ evt }) => {
      const at = stage.getRelativePointerPosition();
      hand = evt.button === 1 || this.#held || this.#options.choices().tool === "hand";
      // A stroke may leave the edge of the image and come back.
      if (evt.pointerType !== "touch") stage.content.setPointerCapture(evt.pointerId);
      if (hand) stage.startDrag();
      else if (at !== null && evt.button === 0 && this.#pinch === null) this.#begin(at);
    });
    stage.on("pointermove", () => {
      const at = stage.getRelativePointerPosition();
      if (at === null) return;
      this.#place = at;
      this.#showRing(at);
      if (!hand) this.#continue(at);
    });
    stage.on("pointerup pointercancel lostpointercapture", () => {
      hand = false;
      this.#end();
    });
    stage.on("wheel", ({ evt }) => {
      evt.preventDefault();
      // A trackpad sends many small wheel events, a wheel few large ones: the zoom depends on the
      // distance.
      this.zoomBy(Math.exp(-evt.deltaY / 400), stage.getPointerPosition() ?? undefined);
    });
    stage.on("touchmove", ({ evt }) => {
      if (evt.touches.length < 2) return;
      evt.preventDefault();
      this.#pinchTo(evt.touches);
    });
    stage.on("touchend touchcancel", () => {
      this.#pinch = null;
    });
  }

  /** Two fingers move and zoom the image; the stroke that the first of them began is reverted. */
  #pinchTo([one, other]: TouchList): void {
    if (one === undefined || other === undefined) return;
    this.#giveUp();
    const box = this.#options.container.getBoundingClientRect();
    const now = {
      distance: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY),
      x: (one.clientX + other.clientX) / 2 - box.left,
      y: (one.clientY + other.clientY) / 2 - box.top,
    };
    const before = this.#pinch;
    this.#pinch = now;
    if (before === null) return;
    const { x, y } = this.#stage.position();
    this.#stage.position({ x: x + now.x - before.x, y: y + now.y - before.y });
    this.zoomBy(now.distance / before.distance, now);
  }
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("This browser cannot draw on a canvas.");
  return context;
}

/** Red, green and blue of `#rrggbb`. */
function channelsOf(colour: string): readonly [number, number, number] {
  const number = Number.parseInt(colour.replace("#", ""), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

/** A mask from an image of a file's opacity: pixels that are not opaque are masked. */
export function maskOf(opacity: HTMLImageElement, width: number, height: number): raster.Mask {
  const mask = raster.blank(width, height);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = contextOf(canvas);
  context.drawImage(opacity, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  for (let at = 0; at < mask.data.length; at += 1) mask.data[at] = 255 - (data[at * 4 + 3] ?? 255);
  return mask;
}

/** The mask as the server expects it: a PNG that is opaque where nothing is masked. */
export async function pngOf(mask: raster.Mask): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = mask.width;
  canvas.height = mask.height;
  const context = contextOf(canvas);
  const image = context.createImageData(mask.width, mask.height);
  for (let at = 0; at < mask.data.length; at += 1) {
    image.data[at * 4 + 3] = 255 - (mask.data[at] ?? 0);
  }
  context.putImageData(image, 0, 0);
  return await new Promise((done, fail) =>
    canvas.toBlob((blob) => (blob === null ? fail(new Error("No PNG was made.")) : done(blob))),
  );
}
