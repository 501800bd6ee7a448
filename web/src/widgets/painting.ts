/** Strokes on a transparent canvas: colour, size, opacity and hardness; undo and redo. */

export interface Brush {
  tool: "brush" | "eraser";
  colour: string;
  /** The diameter in pixels of the image. */
  size: number;
  /** From 0 to 1. */
  opacity: number;
  hardness: number;
}

interface Spot {
  x: number;
  y: number;
}

/** Earlier states that are kept, in bytes. */
const MOST_BYTES = 256 * 1024 * 1024;
/** The distance of two dabs of a stroke, as a share of the size of the brush. */
const SPACING = 0.1;

export class Painting {
  readonly canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  /** The current stroke at full opacity, and what was there before it. */
  readonly #stroke: CanvasRenderingContext2D;
  #before: ImageData | null = null;
  #last: Spot | null = null;
  #undo: ImageData[] = [];
  #redo: ImageData[] = [];

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.#context = contextOf(canvas);
    const stroke = document.createElement("canvas");
    stroke.width = canvas.width;
    stroke.height = canvas.height;
    this.#stroke = contextOf(stroke);
  }

  get canUndo(): boolean {
    return this.#undo.length > 0;
  }

  get canRedo(): boolean {
    return this.#redo.length > 0;
  }

  /** Draws an earlier painting, scaled to the canvas; no step of undo. */
  load(picture: CanvasImageSource): void {
    this.#context.drawImage(picture, 0, 0, this.canvas.width, this.canvas.height);
  }

  begin(at: Spot, brush: Brush): void {
    this.#before = this.#read();
    this.#last = null;
    this.#stroke.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.move(at, brush);
  }

  move(at: Spot, brush: Brush): void {
    if (this.#before === null) return;
    const from = this.#last ?? at;
    const step = Math.max(1, brush.size * SPACING);
    const count = Math.max(1, Math.ceil(Math.hypot(at.x - from.x, at.y - from.y) / step));
    for (let index = this.#last === null ? 0 : 1; index <= count; index += 1) {
      const share = index / count;
      this.#dab(
        { x: from.x + (at.x - from.x) * share, y: from.y + (at.y - from.y) * share },
        brush,
      );
    }
    this.#last = at;
    this.#draw(brush);
  }

  end(): void {
    if (this.#before === null) return;
    this.#remember(this.#before);
    this.#before = null;
  }

  /** Takes the current stroke back. */
  cancel(): void {
    if (this.#before === null) return;
    this.#context.putImageData(this.#before, 0, 0);
    this.#before = null;
  }

  clear(): void {
    this.#remember(this.#read());
    this.#context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  undo(): void {
    this.#swap(this.#undo, this.#redo);
  }

  redo(): void {
    this.#swap(this.#redo, this.#undo);
  }

  isEmpty(): boolean {
    const { data } = this.#read();
    for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) return false;
    return true;
  }

  #read(): ImageData {
    return this.#context.getImageData(0, 0, this.canvas.width, this.canvas.height);
  }

  #remember(state: ImageData): void {
    this.#undo.push(state);
    this.#redo = [];
    const most = Math.max(1, Math.floor(MOST_BYTES / state.data.length));
    if (this.#undo.length > most) this.#undo.shift();
  }

  #swap(from: ImageData[], to: ImageData[]): void {
    const state = from.pop();
    if (state === undefined) return;
    to.push(this.#read());
    this.#context.putImageData(state, 0, 0);
  }

  #dab({ x, y }: Spot, { size, hardness, colour, tool }: Brush): void {
    const radius = Math.max(0.5, size / 2);
    const paint = tool === "eraser" ? "#000000" : colour;
    const edge = this.#stroke.createRadialGradient(
      x,
      y,
      radius * Math.min(hardness, 0.99),
      x,
      y,
      radius,
    );
    edge.addColorStop(0, paint);
    edge.addColorStop(1, `${paint}00`);
    this.#stroke.fillStyle = edge;
    this.#stroke.beginPath();
    this.#stroke.arc(x, y, radius, 0, 2 * Math.PI);
    this.#stroke.fill();
  }

  /** The canvas as it was before the stroke, with the stroke at its opacity. */
  #draw({ tool, opacity }: Brush): void {
    if (this.#before === null) return;
    const context = this.#context;
    context.putImageData(this.#before, 0, 0);
    context.save();
    context.globalAlpha = opacity;
    context.globalCompositeOperation = tool === "eraser" ? "destination-out" : "source-over";
    context.drawImage(this.#stroke.canvas, 0, 0);
    context.restore();
  }
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("This browser cannot draw on a canvas.");
  return context;
}
