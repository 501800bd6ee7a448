/** Zoom and pan of images; compared images share one, so that they move together. */
import { type PointerEvent, type RefObject, useEffect, useRef, useState } from "react";
import { usePointerDrag } from "../widgets/pointerDrag";

export interface Zoom {
  /** 1 shows the whole image. */
  scale: number;
  x: number;
  y: number;
}

export const WHOLE: Zoom = { scale: 1, x: 0, y: 0 };
const MOST = 64;

/** Zooms by a factor; what is shown at `at` stays there. */
export function zoomedAt(
  { scale, x, y }: Zoom,
  factor: number,
  at: { x: number; y: number },
): Zoom {
  const next = Math.min(Math.max(scale * factor, 1), MOST);
  if (next === 1) return WHOLE;
  const ratio = next / scale;
  return { scale: next, x: at.x - (at.x - x) * ratio, y: at.y - (at.y - y) * ratio };
}

export interface ZoomRoom {
  zoom: Zoom;
  setZoom: (zoom: Zoom) => void;
  box: RefObject<HTMLDivElement | null>;
  /** Zooms around the middle. */
  nearer: (factor: number) => void;
  pan: (x: number, y: number) => void;
  handlers: {
    onPointerDown: (event: PointerEvent<HTMLElement>) => void;
  };
}

export function useZoom(): ZoomRoom {
  const [zoom, setZoom] = useState(WHOLE);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const shown = box.current;
    if (shown === null) return;
    // Not with React, whose passive wheel listeners cannot prevent the page from zooming.
    const onWheel = (event: WheelEvent) => {
      event.preventDefault();
      const { left, top } = shown.getBoundingClientRect();
      const at = { x: event.clientX - left, y: event.clientY - top };
      setZoom((before) => zoomedAt(before, Math.exp(-event.deltaY / 400), at));
    };
    shown.addEventListener("wheel", onWheel, { passive: false });
    return () => shown.removeEventListener("wheel", onWheel);
  }, []);
  const pan = (x: number, y: number) =>
    setZoom((before) =>
      before.scale === 1 ? before : { ...before, x: before.x + x, y: before.y + y },
    );
  const last = useRef({ x: 0, y: 0 });
  const handlers = usePointerDrag<Zoom, HTMLElement>({
    begin: ({ clientX: x, clientY: y }) => {
      last.current = { x, y };
      return zoom;
    },
    move: (_, { clientX: x, clientY: y }) => {
      pan(x - last.current.x, y - last.current.y);
      last.current = { x, y };
    },
    cancel: setZoom,
  });
  return {
    zoom,
    setZoom,
    box,
    nearer: (factor) => {
      const { clientWidth = 0, clientHeight = 0 } = box.current ?? {};
      setZoom((before) => zoomedAt(before, factor, { x: clientWidth / 2, y: clientHeight / 2 }));
    },
    pan,
    handlers,
  };
}

export function transformOf({ scale, x, y }: Zoom): string {
  return `translate(${x}px, ${y}px) scale(${scale})`;
}

/** The zoom at which one pixel of the image is one pixel of the screen. */
export function pixelZoom(box: HTMLElement, picture: HTMLImageElement): Zoom {
  const { clientWidth: width, clientHeight: height } = box;
  const shown = Math.min(width / picture.naturalWidth, height / picture.naturalHeight);
  return zoomedAt(WHOLE, 1 / (shown * window.devicePixelRatio), { x: width / 2, y: height / 2 });
}
