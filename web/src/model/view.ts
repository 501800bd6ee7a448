/** How a model is looked at, as documents store it and prompts send it. */

interface Place {
  x: number;
  y: number;
  z: number;
}

/** As the incumbent's nodes take it; `fov` in degrees from top to bottom. */
export interface CameraInfo {
  position: Place;
  target: Place;
  zoom: number;
  cameraType: "perspective" | "orthographic";
  fov: number;
  frustum?: { left: number; right: number; top: number; bottom: number };
}

export const SHADINGS = ["original", "normal", "wireframe", "clay", "lineart"] as const;
export type Shading = (typeof SHADINGS)[number];

export interface ModelView {
  camera_info: CameraInfo | null;
  background: string;
  shading: Shading;
  /** The moment of an animation that is shown at rest; null for the pose of the file. */
  pose: Pose | null;
}

/** The number of an animation in its file, and its time in seconds. */
export interface Pose {
  animation: number;
  time: number;
}

export const BACKGROUND = "#282828";
export const FIELD = 35;

/** The view that a value holds; what it lacks is as at first. */
export function viewIn(value: unknown): ModelView {
  const given = isObject(value) ? value : {};
  const { background } = given;
  return {
    camera_info: cameraIn(given.camera_info),
    background:
      typeof background === "string" && /^#[0-9a-f]{6}$/i.test(background)
        ? background
        : BACKGROUND,
    shading: SHADINGS.find((each) => each === given.shading) ?? "original",
    pose: poseIn(given.pose),
  };
}

function poseIn(value: unknown): Pose | null {
  if (!isObject(value)) return null;
  const [animation, time] = [numberIn(value.animation), numberIn(value.time)];
  return Number.isInteger(animation) && animation >= 0 && time >= 0 ? { animation, time } : null;
}

function cameraIn(value: unknown): CameraInfo | null {
  if (!isObject(value)) return null;
  const [position, target] = [placeIn(value.position), placeIn(value.target)];
  if (position === null) return null;
  return {
    position,
    target: target ?? { x: 0, y: 0, z: 0 },
    zoom: numberIn(value.zoom) || 1,
    cameraType: value.cameraType === "orthographic" ? "orthographic" : "perspective",
    fov: Math.min(Math.max(numberIn(value.fov) || FIELD, 1), 150),
  };
}

function placeIn(value: unknown): Place | null {
  if (!isObject(value)) return null;
  const [x, y, z] = [value.x, value.y, value.z].map(numberIn);
  return x === undefined || y === undefined || z === undefined || [x, y, z].some(Number.isNaN)
    ? null
    : { x, y, z };
}

function numberIn(value: unknown): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : Number.NaN;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
