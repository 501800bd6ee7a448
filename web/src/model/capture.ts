/** Pictures of a model as a view shows it, for nodes that take them. */
import { loadModel } from "./loading";
import { ModelScene } from "./scene";
import { type CameraInfo, viewIn } from "./view";

/** In milliseconds, for the file to arrive. */
const LIMIT = 120_000;

interface Captured {
  camera: CameraInfo;
  pictures: Record<"image" | "mask" | "normal", Blob>;
}

/** Draws pictures of a size in pixels. Rejects where the file or the graphics are not there. */
export async function capture(
  { url, name }: { url: string; name: string },
  value: unknown,
  width: number,
  height: number,
): Promise<Captured> {
  const view = viewIn(value);
  const model = await loadModel(url, name, AbortSignal.timeout(LIMIT));
  const scene = new ModelScene(undefined, model);
  try {
    scene.setSize(width, height, 1);
    scene.animation.show(view.pose);
    const camera = view.camera_info ?? scene.framing();
    scene.lookAs(camera);
    const pictures = await scene.pictures(view);
    const { x, y, z } = camera.target;
    return { camera: scene.info(scene.size.middle.clone().set(x, y, z)), pictures };
  } finally {
    scene.dispose();
  }
}
