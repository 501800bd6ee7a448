/**
 * The image and its mask on the screen, and the pointer: pan, zoom, pinch, paint. Konva moves the
 * image and receives pointer events; `raster.ts` does the painting. Makes no requests.
 */
import Konva from "konva";
import { followPointer } from "../../widgets/pointerDrag";
import { MaskHistory } from "./history";
import { PaintedTiles } from "./PaintedTiles";
import * as raster from "./raster";
import { colourReader } from "./reading";
import { inSlices } from "./stepping";
import { Change, type Mask, sumOf } from "./tiles";

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
  mask: Mask;
  choices: () => Choices;
  colour: string;
  /** Called after painting, undo and zoom, and when longer work begins and ends. */
  onChange: () => void;
  onFailure: (error: unknown) => void;
}

type Spot = raster.Spot;

const NEAREST = 32;
const FARTHEST = 0.01;
const OPACITY = 0.6;

export class MaskStage {
  readonly mask: Mask;
  readonly history: MaskHistory;
  readonly #options: Options;
  readonly #stage: Konva.Stage;
  /** The tint and the ring: a stroke does not draw the picture below them again. */
  readonly #layer = new Konva.Layer({ imageSmoothingEnabled: false, listening: false });
  readonly #tiles: PaintedTiles;
  readonly #ring: Konva.Circle;
  readonly #sums: number[];
  #sum: number;
  /** The current stroke: the change it makes, and the last place of the pointer. */
  #stroke: { change: Change; last: Spot } | null = null;
  /** Ends the press of the pointer that strokes or moves the image. */
  #cancelPress = () => {};
  #isWorking = false;
  #isDestroyed = false;
  #pinch: { distance: number; x: number; y: number } | null = null;
  /** While it is held, a drag moves the image instead of painting. */
  #held = false;
  /** The place of the keyboard's brush, in pixels of the image. */
  #place: Spot;

  constructor(options: Options) {
    const { container, picture, mask } = options;
    this.#options = options;
    this.mask = mask;
    this.history = new MaskHistory(mask);
    this.#tiles = new PaintedTiles(mask, channelsOf(options.colour));
    this.#sums = mask.tiles.map((_, index) => sumOf(mask, index));
    this.#sum = this.#sums.reduce((sum, each) => sum + each, 0);
    this.#place = { x: mask.width / 2, y: mask.height / 2 };
    this.#stage = new Konva.Stage({
      container,
      width: container.clientWidth,
      height: container.clientHeight,
    });
    const below = new Konva.Layer({ imageSmoothingEnabled: false, listening: false });
    below.add(new Konva.Image({ image: picture, width: mask.width, height: mask.height }));
    this.#layer.add(
      new Konva.Shape({ opacity: OPACITY, sceneFunc: (context) => this.#drawTint(context) }),
    );
    this.#ring = new Konva.Circle({ radius: 1, strokeWidth: 1.5, strokeScaleEnabled: false });
    this.#ring.stroke("#ffffff");
    // A white line alone would be invisible on a white image.
    this.#ring.shadowColor("#000000").shadowBlur(2).visible(false);
    this.#layer.add(this.#ring);
    this.#stage.add(below, this.#layer);
    this.#listen();
    this.fit();
  }

  get zoom(): number {
    return this.#stage.scaleX();
  }

  /** Whether work goes on that takes longer; nothing else changes the mask meanwhile. */
  get isWorking(): boolean {
    return this.#isWorking;
  }

  /** The masked share of the image, from 0 to 1; during a stroke, the share before it. */
  get share(): number {
    return this.#sum / 255 / (this.mask.width * this.mask.height);
  }

  /** While `held`, every tool moves the image, as the hand does. */
  hold(held: boolean): void {
    this.#held = held;
    this.#options.container.classList.toggle("held", held);
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#cancelPress();
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

  /** Changes the mask in one undo step, in slices where it takes long. */
  async change(act: (change: Change) => raster.Steps): Promise<void> {
    if (this.#isWorking || this.#stroke !== null) return;
    const change = new Change(this.mask);
    this.#isWorking = true;
    try {
      await inSlices(act(change), () => {
        this.#redraw(change.takeFresh());
        this.#options.onChange();
        return !this.#isDestroyed;
      });
    } catch (error) {
      change.revert();
      this.#options.onFailure(error);
    } finally {
      this.#isWorking = false;
    }
    if (!this.#isDestroyed) this.#record(change);
  }

  undo(): void {
    if (!this.#isWorking) this.#changed(this.history.undo() ?? []);
  }

  redo(): void {
    if (!this.#isWorking) this.#changed(this.history.redo() ?? []);
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
    if (!paint || this.#isWorking) return;
    const change = new Change(this.mask);
    raster.paint(change, last, this.#place, this.#brush());
    this.#record(change);
  }

  /** Applies the tool at the place of the brush. */
  act(): void {
    if (this.#begin(this.#place)) this.#end();
  }

  /** Draws the tint of these tiles again. */
  #redraw(tiles: Iterable<number>): void {
    this.#tiles.forget(tiles);
    this.#layer.batchDraw();
  }

  #changed(tiles: Iterable<number>): void {
    const changed = [...tiles];
    for (const index of changed) {
      const sum = sumOf(this.mask, index);
      this.#sum += sum - (this.#sums[index] ?? 0);
      this.#sums[index] = sum;
    }
    this.#redraw(changed);
    this.#options.onChange();
  }

  #record(change: Change): void {
    this.history.record(change);
    this.#changed(change.before.keys());
  }

  #drawTint(context: Konva.Context): void {
    const ratio = this.#layer.getCanvas().getPixelRatio();
    const { x, y } = this.#stage.position();
    const { width, height } = this.#stage.size();
    this.#tiles.draw(context, {
      x: x * ratio,
      y: y * ratio,
      scale: this.zoom * ratio,
      width: width * ratio,
      height: height * ratio,
    });
  }

  #middle(): Spot {
    return { x: this.#stage.width() / 2, y: this.#stage.height() / 2 };
  }

  #brush(): raster.Brush {
    const { tool, size, hardness } = this.#options.choices();
    return { radius: size / 2, hardness, value: tool === "eraser" ? 0 : 255 };
  }

  #showRing({ x, y }: Spot): void {
    const { tool, size } = this.#options.choices();
    this.#ring.visible(tool === "brush" || tool === "eraser");
    this.#ring.position({ x, y });
    this.#ring.radius(size / 2);
    this.#layer.batchDraw();
  }

  async #fill(at: Spot): Promise<void> {
    const { tolerance } = this.#options.choices();
    this.#isWorking = true;
    try {
      const { read, close } = await colourReader(this.#options.picture, this.mask);
      this.#isWorking = false;
      await this.change((change) => raster.fill(change, read, at, { tolerance, value: 255 }));
      // The decoded picture is as large as all else here.
      close();
    } catch (error) {
      this.#isWorking = false;
      this.#options.onFailure(error);
    }
  }

  /** Begins a stroke; false where the tool makes none. */
  #begin(at: Spot): boolean {
    const { tool } = this.#options.choices();
    if (tool === "hand" || this.#isWorking) return false;
    if (tool === "fill") {
      void this.#fill(at);
      return false;
    }
    const change = new Change(this.mask);
    this.#stroke = { change, last: at };
    this.#continue(at);
    this.#options.onChange();
    return true;
  }

  #continue(at: Spot): void {
    if (this.#stroke === null) return;
    const { change, last } = this.#stroke;
    raster.paint(change, last, at, this.#brush());
    this.#stroke.last = at;
    this.#redraw(change.takeFresh());
  }

  #end(): void {
    if (this.#stroke === null) return;
    const { change } = this.#stroke;
    this.#stroke = null;
    this.#record(change);
  }

  /** Reverts the current stroke. */
  #giveUp(): void {
    if (this.#stroke === null) return;
    const { change } = this.#stroke;
    this.#stroke = null;
    change.revert();
    this.#changed(change.before.keys());
  }

  /** The pixel of the image under the pointer. */
  #spotOf({ clientX, clientY }: MouseEvent): Spot {
    const { left, top } = this.#options.container.getBoundingClientRect();
    const { x, y } = this.#stage.position();
    return { x: (clientX - left - x) / this.zoom, y: (clientY - top - y) / this.zoom };
  }

  #press(event: PointerEvent): void {
    if (this.#stroke !== null) {
      // A second finger: the two move the image.
      this.#cancelPress();
      return;
    }
    const isHand = event.button === 1 || this.#held || this.#options.choices().tool === "hand";
    if (isHand) this.#moveImage(event);
    else if (event.button === 0 && this.#pinch === null && this.#begin(this.#spotOf(event))) {
      // A stroke may leave the edge of the image and come back.
      this.#cancelPress = followPointer(event, this.#stage.content, {
        move: (moved) => {
          for (const each of moved.getCoalescedEvents()) this.#continue(this.#spotOf(each));
          this.#continue(this.#spotOf(moved));
        },
        end: () => this.#end(),
        cancel: () => this.#giveUp(),
      });
    }
  }

  #moveImage(event: PointerEvent): void {
    const { x, y } = this.#stage.position();
    this.#cancelPress = followPointer(event, this.#stage.content, {
      move: ({ clientX, clientY }) =>
        this.#stage.position({ x: x + clientX - event.clientX, y: y + clientY - event.clientY }),
      cancel: () => this.#stage.position({ x, y }),
    });
  }

  #listen(): void {
    const stage = this.#stage;
    stage.on("pointerdown", ({ evt }) => this.#press(evt));
    stage.on("pointermove", ({ evt }) => {
      this.#place = this.#spotOf(evt);
      this.#showRing(this.#place);
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
    this.#cancelPress();
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

/** Red, green and blue of `#rrggbb`. */
function channelsOf(colour: string): readonly [number, number, number] {
  const number = Number.parseInt(colour.replace("#", ""), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}
