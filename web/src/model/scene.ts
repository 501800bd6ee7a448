/** A model in light, seen by a camera: the picture in a canvas, and pictures of any size. */
import {
  AmbientLight,
  Color,
  DirectionalLight,
  DoubleSide,
  type Group,
  type Material,
  Mesh,
  MeshBasicMaterial,
  MeshNormalMaterial,
  MeshStandardMaterial,
  type Object3D,
  OrthographicCamera,
  PerspectiveCamera,
  Scene,
  SRGBColorSpace,
  type Texture,
  TextureLoader,
  Vector3,
  WebGLRenderer,
} from "three";
import { Animation } from "./animation";
import { Drawing } from "./lines";
import { type Size, sizeOf } from "./loading";
import { type CameraInfo, FIELD, type ModelView, type Shading } from "./view";

const MARGIN = 1.05;

type Camera = PerspectiveCamera | OrthographicCamera;

export class ModelScene {
  readonly scene = new Scene();
  readonly renderer: WebGLRenderer;
  readonly size: Size;
  #camera: Camera;
  #aspect = 1;
  /** Half of what an orthographic camera sees from bottom to top. */
  #half = 1;
  readonly #light = new DirectionalLight(0xffffff, 2);
  readonly #smooth = materials(false);
  /** For surfaces without normals. */
  readonly #flat = materials(true);
  readonly #white = new MeshBasicMaterial({ color: 0xffffff, side: DoubleSide });
  readonly #own = new Map<Mesh, Material | Material[]>();
  readonly #drawing = new Drawing();
  readonly animation: Animation;
  #behind: Texture | null = null;
  #isDisposed = false;

  constructor(
    canvas: HTMLCanvasElement | undefined,
    readonly model: Group,
  ) {
    const drawn = canvas === undefined ? {} : { canvas };
    this.renderer = new WebGLRenderer({ ...drawn, antialias: true, preserveDrawingBuffer: true });
    this.scene.add(model, new AmbientLight(0xffffff, 1.2), this.#light, this.#light.target);
    this.size = sizeOf(model);
    this.animation = new Animation(model);
    this.#camera = this.#made("perspective", FIELD);
    model.traverse((each) => {
      if (each instanceof Mesh) this.#own.set(each, each.material as Material | Material[]);
    });
  }

  get camera(): Camera {
    return this.#camera;
  }

  /** A camera in front of the model, a little above and to the side, that shows all of it. */
  framing(): CameraInfo {
    const { middle, radius } = this.size;
    const field = (FIELD * Math.PI) / 360;
    const narrow = this.#aspect < 1 ? Math.atan(Math.tan(field) * this.#aspect) : field;
    const away = new Vector3(0.5, 0.4, 1).normalize().multiplyScalar(radius / Math.sin(narrow));
    return {
      position: placeOf(middle.clone().add(away.multiplyScalar(MARGIN))),
      target: placeOf(middle),
      zoom: 1,
      cameraType: "perspective",
      fov: FIELD,
    };
  }

  setSize(width: number, height: number, pixels: number): void {
    this.renderer.setPixelRatio(pixels);
    this.renderer.setSize(width, height, false);
    this.#aspect = width / Math.max(height, 1);
    this.#project();
  }

  lookAs(info: CameraInfo): void {
    this.#camera = this.#made(info.cameraType, info.fov);
    const { position, target } = info;
    this.#camera.position.set(position.x, position.y, position.z);
    this.#camera.lookAt(target.x, target.y, target.z);
    this.#camera.zoom = info.zoom;
    const distance = this.#camera.position.distanceTo(new Vector3(target.x, target.y, target.z));
    this.#half = (distance || 1) * Math.tan((info.fov * Math.PI) / 360);
    this.#project();
  }

  /** The camera as a value, looking at a point. */
  info(target: Vector3): CameraInfo {
    const camera = this.#camera;
    const shared = {
      position: placeOf(camera.position),
      target: placeOf(target),
      zoom: camera.zoom,
    };
    if (camera instanceof PerspectiveCamera) {
      return { ...shared, cameraType: "perspective", fov: camera.fov };
    }
    const { left, right, top, bottom } = camera;
    const fov = (Math.atan(this.#half / (camera.position.distanceTo(target) || 1)) * 360) / Math.PI;
    return { ...shared, cameraType: "orthographic", fov, frustum: { left, right, top, bottom } };
  }

  shade(shading: Shading): void {
    for (const [mesh, own] of this.#own) {
      const made = "normal" in mesh.geometry.attributes ? this.#smooth : this.#flat;
      if (shading === "lineart") mesh.material = this.#drawing.paper;
      else mesh.material = shading === "original" ? own : made[shading];
    }
    this.#drawing.show(this.#own.keys(), shading === "lineart");
  }

  /** Has the picture at an address behind the model, in the place of the colour. */
  setBehind(url: string, onLoad: () => void): void {
    new TextureLoader().load(url, (texture) => {
      if (this.#isDisposed) return texture.dispose();
      texture.colorSpace = SRGBColorSpace;
      this.#behind?.dispose();
      this.#behind = texture;
      onLoad();
    });
  }

  draw(background: string | number): void {
    this.scene.background = this.#behind ?? new Color(background);
    if (this.#behind !== null) cover(this.#behind, this.#aspect);
    // Light comes from the camera, so that no side is dark.
    this.#light.position.copy(this.#camera.position);
    this.#light.target.position.copy(this.size.middle);
    this.renderer.render(this.scene, this.#camera);
  }

  /** Pictures of a size as PNG: as shown, white where the model is, and its directions. */
  async pictures({
    background,
    shading,
  }: ModelView): Promise<Record<"image" | "mask" | "normal", Blob>> {
    this.shade(shading);
    this.draw(background);
    const image = await this.#png();
    this.shade("clay");
    for (const mesh of this.#own.keys()) mesh.material = this.#white;
    this.draw(0);
    const mask = await this.#png();
    this.shade("normal");
    this.draw(0);
    const normal = await this.#png();
    this.shade(shading);
    return { image, mask, normal };
  }

  dispose(): void {
    this.#isDisposed = true;
    this.model.traverse((each: Object3D) => {
      if (each instanceof Mesh) each.geometry.dispose();
    });
    const own = [...this.#own.values()].flat();
    const made = [this.#smooth, this.#flat].flatMap((each) => Object.values(each));
    for (const each of [...own, ...made, this.#white]) each.dispose();
    this.#drawing.dispose();
    this.#behind?.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }

  #png(): Promise<Blob> {
    return new Promise((done, failed) =>
      this.renderer.domElement.toBlob(
        (found) => (found === null ? failed(new Error("The canvas is too large.")) : done(found)),
        "image/png",
      ),
    );
  }

  #made(kind: CameraInfo["cameraType"], fov: number): Camera {
    const { radius } = this.size;
    const [near, far] = [radius / 1000, radius * 1000];
    return kind === "orthographic"
      ? new OrthographicCamera(-1, 1, 1, -1, -far, far)
      : new PerspectiveCamera(fov, this.#aspect, near, far);
  }

  #project(): void {
    const camera = this.#camera;
    if (camera instanceof PerspectiveCamera) camera.aspect = this.#aspect;
    else {
      camera.top = this.#half;
      camera.bottom = -this.#half;
      camera.right = this.#half * this.#aspect;
      camera.left = -camera.right;
    }
    camera.updateProjectionMatrix();
  }
}

/** Has a picture fill an area of an aspect, cut at two sides. */
function cover(texture: Texture, aspect: number): void {
  const { width = 1, height = 1 } = texture.image as { width?: number; height?: number };
  const share = width / height / aspect;
  texture.repeat.set(Math.min(1 / share, 1), Math.min(share, 1));
  texture.offset.set((1 - texture.repeat.x) / 2, (1 - texture.repeat.y) / 2);
}

type Made = Exclude<Shading, "original" | "lineart">;

function materials(flatShading: boolean): Record<Made, Material> {
  return {
    normal: new MeshNormalMaterial({ flatShading, side: DoubleSide }),
    wireframe: new MeshBasicMaterial({ color: 0x9fc7ff, wireframe: true }),
    clay: new MeshStandardMaterial({
      color: 0xb8b8b8,
      roughness: 0.85,
      flatShading,
      side: DoubleSide,
    }),
  };
}

function placeOf({ x, y, z }: Vector3) {
  return { x, y, z };
}
