/** What moves the camera around a model in a canvas, and redraws it: pointers, keys, sizes. */
import { Vector3 } from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { ModelScene } from "./scene";
import type { CameraInfo, ModelView, Pose } from "./view";

/** What tells cameras apart; a frustum follows from the rest. */
const PARTS = ["position", "target", "x", "y", "z", "zoom", "cameraType", "fov"];
const TURN = 0.12;
const NEARER = 1.15;
const UP = new Vector3(0, 1, 0);

export interface Stage {
  scene: ModelScene;
  show: (view: ModelView) => void;
  /** Shows a moment without a change of the view. */
  pose: (pose: Pose) => void;
  /** Shows the picture at an address behind the model. */
  behind: (url: string) => void;
  key: (key: string) => boolean;
  close: () => void;
}

/** The newest view, and what takes a changed one. */
interface Newest {
  current: { view: ModelView; onView: (view: ModelView) => void };
}

/** Shows a model in a canvas, and moves its camera, until it is closed. */
export function openStage(
  canvas: HTMLCanvasElement,
  model: ModelScene["model"],
  newest: Newest,
): Stage {
  const scene = new ModelScene(canvas, model);
  let shown: CameraInfo | null | undefined;
  let controls = new OrbitControls(scene.camera, canvas);
  const { request: draw, stop } = drawer(() => scene.draw(newest.current.view.background));
  const report = () => {
    shown = scene.info(controls.target);
    const { view, onView } = newest.current;
    onView({ ...view, camera_info: shown });
  };
  const look = (info: CameraInfo) => {
    controls.dispose();
    controls = controlsFor(scene, canvas, info);
    controls.addEventListener("change", draw);
    controls.addEventListener("end", report);
  };
  const show = (view: ModelView) => {
    scene.shade(view.shading);
    scene.animation.show(view.pose);
    if (shown === undefined || !isSame(view.camera_info, shown)) {
      shown = view.camera_info;
      look(view.camera_info ?? scene.framing());
    }
    draw();
  };
  const watch = watchSize(canvas, (width, height) => {
    scene.setSize(width, height, window.devicePixelRatio);
    if (newest.current.view.camera_info === null) look(scene.framing());
    draw();
  });
  const stopWheel = listenToWheel(canvas, (isOurs) => {
    controls.enableZoom = isOurs;
  });
  show(newest.current.view);
  return {
    scene,
    show,
    pose: (pose) => {
      scene.animation.show(pose);
      draw();
    },
    behind: (url) => scene.setBehind(url, draw),
    key: (key) => {
      if (!moveByKey(scene, controls, key)) return false;
      report();
      return true;
    },
    close: () => {
      watch.disconnect();
      stopWheel();
      stop();
      controls.dispose();
      scene.dispose();
    },
  };
}

/** Moves the camera there, and has the pointer move it from there. */
function controlsFor(scene: ModelScene, canvas: HTMLCanvasElement, info: CameraInfo) {
  scene.lookAs(info);
  const controls = new OrbitControls(scene.camera, canvas);
  controls.target = new Vector3(info.target.x, info.target.y, info.target.z);
  controls.update();
  return controls;
}

/** On the graph the wheel is the graph's, until the model has the focus, or its node is selected. */
function listenToWheel(canvas: HTMLCanvasElement, tell: (isOurs: boolean) => void): () => void {
  const onWheel = (event: WheelEvent) => {
    const isOurs =
      document.activeElement === canvas ||
      canvas.closest(".react-flow") === null ||
      canvas.closest(".react-flow__node.selected") !== null;
    tell(isOurs);
    if (isOurs) event.stopPropagation();
  };
  canvas.addEventListener("wheel", onWheel, { capture: true });
  return () => canvas.removeEventListener("wheel", onWheel, { capture: true });
}

function watchSize(
  canvas: HTMLCanvasElement,
  tell: (width: number, height: number) => void,
): ResizeObserver {
  const watch = new ResizeObserver(() => {
    const { clientWidth, clientHeight } = canvas;
    if (clientWidth > 0 && clientHeight > 0) tell(clientWidth, clientHeight);
  });
  watch.observe(canvas);
  return watch;
}

/** Draws at most once a frame. */
function drawer(draw: () => void): { request: () => void; stop: () => void } {
  let frame = 0;
  const stop = () => cancelAnimationFrame(frame);
  const request = () => {
    stop();
    frame = requestAnimationFrame(draw);
  };
  return { request, stop };
}

/** A value that was stored and read again is another object. */
function isSame(one: CameraInfo | null, other: CameraInfo | null): boolean {
  return JSON.stringify(one, PARTS) === JSON.stringify(other, PARTS);
}

/** How each key changes where the camera is, from what it looks at; `side` points to its right. */
const TURNS: Readonly<Record<string, (away: Vector3, side: Vector3) => unknown>> = {
  ArrowLeft: (away) => away.applyAxisAngle(UP, -TURN),
  ArrowRight: (away) => away.applyAxisAngle(UP, TURN),
  ArrowUp: (away, side) => away.applyAxisAngle(side, -TURN),
  ArrowDown: (away, side) => away.applyAxisAngle(side, TURN),
  "+": (away) => away.divideScalar(NEARER),
  "-": (away) => away.multiplyScalar(NEARER),
};

function moveByKey({ camera }: ModelScene, controls: OrbitControls, key: string): boolean {
  const turn = TURNS[key];
  if (turn === undefined) return false;
  const { target } = controls;
  const away = camera.position.clone().sub(target);
  turn(away, new Vector3().crossVectors(UP, away).normalize());
  camera.position.copy(target).add(away);
  controls.update(); // which draws
  return true;
}
