/**
 * Pulling of wires by pointer: press a socket, drag, drop; or tap one socket and then another. The
 * same for mouse, pen and finger. `targetAt` decides what a place means, and `dropPull` what a drop
 * does. Nothing changes before the drop, so that a cancelled pull leaves the graph as it was.
 */

import type { Point } from "../document/graph";
import { dropPull } from "../state/editing/drop";
import { beginPull, endPull, type Pull, type Target, usePulling } from "../state/editing/pull";
import { useWiring } from "../state/editing/wiring";
import type { Editor } from "../state/session/editor";
import { type Press, pressedAt } from "./pressedAt";
import { targetAt } from "./targetAt";

/** The view of the graph, and how to move it. */
interface View {
  editor: Editor;
  toGraph: (screen: Point) => Point;
  zoom: () => number;
  moveBy: (by: Point) => void;
  /** Called after a pull has moved the view. */
  afterMove: () => void;
}

interface PressedPointer {
  pointer: number;
  screen: Point;
  /** Null where something else handles the press; it is watched since it may be the second tap. */
  press: Press | null;
  /** A press that moves less than this, in pixels, is a tap. */
  tapLimit: number;
}

const TAP_LIMIT = 4;
const TAP_LIMIT_TOUCH = 10;
/**
 * The distance from the edge of the canvas at which the view moves, and its greatest step per
 * frame.
 */
const EDGE_WIDTH = 36;
const MAX_SPEED = 14;

export class PullPointer {
  readonly #box: HTMLElement;
  readonly #view: View;
  #pressed: PressedPointer | null = null;
  /** The pointer that holds a pull. */
  #pointer: number | null = null;
  /** The place of the loose end on the screen; null until a pointer event has set it. */
  #screen: Point | null = null;
  /** The next click is part of a drop or a tap, and is ignored. */
  #ignoresClick = false;
  #frame = 0;
  /** The pull has moved the view. */
  #hasMovedView = false;

  constructor(box: HTMLElement, view: View) {
    this.#box = box;
    this.#view = view;
  }

  /** Begins to listen. Returns a function that stops it and cancels any pull. */
  listen(): () => void {
    const listening = new AbortController();
    // In the capture phase: a press that takes hold of a wire must move neither nodes nor the view.
    const first = { capture: true, signal: listening.signal };
    window.addEventListener("pointerdown", (event) => this.#onPointerDown(event), first);
    window.addEventListener("mousedown", (event) => this.#blockCanvas(event), first);
    window.addEventListener("touchstart", (event) => this.#blockCanvas(event), first);
    window.addEventListener("pointermove", (event) => this.#onPointerMove(event), first);
    window.addEventListener("pointerup", (event) => this.#onPointerUp(event), first);
    window.addEventListener("pointercancel", (event) => this.#onPointerCancel(event), first);
    window.addEventListener("contextmenu", (event) => this.#onContextMenu(event), first);
    window.addEventListener("click", (event) => this.#onClick(event), first);
    window.addEventListener("dblclick", (event) => this.#onClick(event), first);
    return () => {
      listening.abort();
      this.#end();
      endPull();
    };
  }

  /** The view moved under the pointer: updates the place of the loose end in the graph. */
  viewMoved(): void {
    const { pull } = usePulling.getState();
    if (pull !== null && this.#screen !== null) this.#updateTarget(pull, this.#screen);
  }

  #onPointerDown(event: PointerEvent): void {
    this.#ignoresClick = false;
    if (!this.#view.editor.isFocused) return;
    if (this.#pointer !== null || event.button !== 0) return;
    this.#pressed = null;
    const { pull } = usePulling.getState();
    if (!(event.target instanceof Element) || !this.#box.contains(event.target)) {
      endPull();
      return;
    }
    // Buttons above the graph, such as zoom, can be used between two taps.
    if (event.target.closest(".react-flow__pane") === null) return;
    const screen = screenOf(event);
    const press = pressedAt(
      this.#view.editor,
      event,
      this.#view.toGraph(screen),
      this.#view.zoom(),
    );
    if (press === null && pull === null) return;
    const isTouch = event.pointerType === "touch";
    const tapLimit = isTouch ? TAP_LIMIT_TOUCH : TAP_LIMIT;
    this.#pressed = { pointer: event.pointerId, screen, press, tapLimit };
    // A long press of a finger is still handled elsewhere: it opens the context menu.
    if (press === null || isTouch) return;
    event.stopPropagation();
    // No other listener gets this event. Selected text would be copied instead of nodes.
    window.getSelection()?.removeAllRanges();
  }

  /** Stops React Flow from moving the view or a node while a wire is pulled. */
  #blockCanvas(event: MouseEvent | TouchEvent): void {
    if (this.#pressed !== null && this.#pressed.press !== null) event.stopPropagation();
  }

  #onPointerMove(event: PointerEvent): void {
    const { pull, byTaps } = usePulling.getState();
    const screen = screenOf(event);
    if (event.pointerId === this.#pointer) {
      // The button was released outside of the page.
      if (event.pointerType === "mouse" && (event.buttons & 1) === 0) this.#onPointerCancel(event);
      else if (pull !== null) this.#updateTarget(pull, screen);
    } else if (this.#pressed !== null && event.pointerId === this.#pressed.pointer) {
      this.#beginIfMoved(this.#pressed, screen);
    } else if (
      pull !== null &&
      byTaps &&
      event.pointerType !== "touch" &&
      this.#view.editor.isFocused
    ) {
      this.#updateTarget(pull, screen);
    }
  }

  /** The pressed pointer moves: beyond the limit of a tap, the pull begins. */
  #beginIfMoved({ pointer, screen: start, press, tapLimit }: PressedPointer, screen: Point): void {
    if (Math.hypot(screen.x - start.x, screen.y - start.y) < tapLimit) return;
    this.#pressed = null;
    const pull = press?.drag() ?? null;
    if (pull === null) return;
    this.#pointer = pointer;
    // Also over frames of other pages, and after the pressed element was removed.
    this.#box.setPointerCapture(pointer);
    useWiring.setState({ menu: null });
    beginPull(pull, this.#view.toGraph(screen), false);
    this.#updateTarget(pull, screen);
  }

  #updateTarget(pull: Pull, screen: Point): void {
    this.#screen = screen;
    usePulling.setState({ at: this.#view.toGraph(screen), target: this.#targetAt(pull, screen) });
    if (this.#pointer !== null && this.#frame === 0 && isMoving(this.#speedAt(screen))) {
      this.#frame = requestAnimationFrame(() => this.#moveView());
    }
  }

  #targetAt(pull: Pull, screen: Point): Target {
    const element = document.elementFromPoint(screen.x, screen.y);
    if (element === null || !this.#box.contains(element)) return { kind: "outside" };
    return targetAt(this.#view.editor, pull, this.#view.toGraph(screen), this.#view.zoom());
  }

  /**
   * How far the view moves per frame, by the pointer's distance from the edge of the canvas. Zero
   * while the pointer is elsewhere on the screen.
   */
  #speedAt({ x, y }: Point): Point {
    const { left, right, top, bottom } = this.#box.getBoundingClientRect();
    const beyond = Math.max(left - x, x - right, top - y, y - bottom);
    if (beyond > EDGE_WIDTH) return { x: 0, y: 0 };
    const along = (before: number, after: number) => {
      const into = Math.max(EDGE_WIDTH - before, 0) - Math.max(EDGE_WIDTH - after, 0);
      return (Math.max(-EDGE_WIDTH, Math.min(EDGE_WIDTH, into)) / EDGE_WIDTH) * MAX_SPEED;
    };
    return { x: along(x - left, right - x), y: along(y - top, bottom - y) };
  }

  #moveView(): void {
    this.#frame = 0;
    if (this.#pointer === null || this.#screen === null || usePulling.getState().pull === null) {
      return;
    }
    const by = this.#speedAt(this.#screen);
    if (!isMoving(by)) return;
    // Requested first: moving the view updates the loose end, which would request a frame again.
    this.#frame = requestAnimationFrame(() => this.#moveView());
    this.#hasMovedView = true;
    this.#view.moveBy(by);
  }

  #onPointerUp(event: PointerEvent): void {
    const screen = screenOf(event);
    if (event.pointerId === this.#pointer) {
      const { pull } = usePulling.getState();
      this.#ignoresClick = true;
      this.#end();
      if (pull !== null) this.#drop(pull, screen);
    } else if (this.#pressed !== null && event.pointerId === this.#pressed.pointer) {
      const { press } = this.#pressed;
      this.#pressed = null;
      this.#tap(press, screen, event.pointerType === "touch");
    }
  }

  #drop(pull: Pull, screen: Point): void {
    const target = this.#targetAt(pull, screen);
    endPull();
    dropPull(this.#view.editor, pull, target, { screen, at: this.#view.toGraph(screen) });
  }

  /** The first tap on a socket begins a pull; the second tap ends it. */
  #tap(press: Press | null, screen: Point, isTouch: boolean): void {
    const { pull } = usePulling.getState();
    if (pull !== null) {
      this.#ignoresClick = true;
      const target = this.#targetAt(pull, screen);
      endPull();
      if (target.kind === "nothing") return;
      dropPull(this.#view.editor, pull, target, { screen, at: this.#view.toGraph(screen) });
      return;
    }
    const started = press?.tap?.() ?? null;
    if (started === null) return;
    this.#ignoresClick = true;
    this.#screen = isTouch ? null : screen;
    useWiring.setState({ menu: null });
    beginPull(started, this.#view.toGraph(screen), true);
  }

  #onPointerCancel(event: PointerEvent): void {
    if (this.#pressed?.pointer === event.pointerId) this.#pressed = null;
    if (event.pointerId !== this.#pointer) return;
    this.#end();
    endPull();
  }

  /** A context menu, by the other button or a long press, cancels the pull. */
  #onContextMenu(event: MouseEvent): void {
    this.#pressed = null;
    if (this.#pointer !== null) {
      event.preventDefault();
      event.stopPropagation();
    }
    endPull();
  }

  #end(): void {
    this.#pointer = null;
    this.#screen = null;
    if (this.#frame !== 0) cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    if (this.#hasMovedView) this.#view.afterMove();
    this.#hasMovedView = false;
  }

  #onClick(event: MouseEvent): void {
    const { target, type } = event;
    const onSocket = target instanceof Element && target.closest(".react-flow__handle") !== null;
    // Clicks from the keyboard (detail 0) are not part of the pull.
    const isPart = this.#ignoresClick && event.detail > 0;
    if (type === "click") this.#ignoresClick = false;
    if (isPart || (type === "dblclick" && onSocket)) {
      event.stopPropagation();
      event.preventDefault();
    }
  }
}

function isMoving({ x, y }: Point): boolean {
  return x !== 0 || y !== 0;
}

function screenOf({ clientX: x, clientY: y }: MouseEvent): Point {
  return { x, y };
}
