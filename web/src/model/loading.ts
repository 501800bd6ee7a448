/** Reads files of models with three.js. Nothing but the file and files beside it is requested. */
import {
  type AnimationClip,
  Box3,
  BufferGeometry,
  Group,
  LoadingManager,
  Mesh,
  MeshStandardMaterial,
  type Object3D,
  TextureLoader,
  Vector3,
} from "three";
import { FBXLoader } from "three/examples/jsm/loaders/FBXLoader.js";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { OBJLoader } from "three/examples/jsm/loaders/OBJLoader.js";
import { STLLoader } from "three/examples/jsm/loaders/STLLoader.js";
import { addressBeside } from "./beside";

const CLAY = 0xb8b8b8;

/** The model of a file, in the units of the file. Rejects with a sentence. */
export async function loadModel(url: string, name: string, signal: AbortSignal): Promise<Group> {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const content = await answer.arrayBuffer();
  const model = new Group();
  const { object, animations } = await parsed(content, name, url);
  model.add(object);
  model.animations = animations;
  model.traverse((each) => {
    // A file may have bad bounds; a model that is partly out of view must not vanish.
    each.frustumCulled = false;
  });
  return model;
}

interface Parsed {
  object: Object3D;
  animations: AnimationClip[];
}

async function parsed(content: ArrayBuffer, name: string, url: string): Promise<Parsed> {
  const suffix = name.split(".").at(-1)?.toLowerCase() ?? "";
  const manager = managerBeside(url);
  switch (suffix) {
    case "stl":
      return still(clay(new STLLoader(manager).parse(content)));
    case "obj":
      return still(new OBJLoader(manager).parse(new TextDecoder().decode(content)));
    case "fbx": {
      const object = new FBXLoader(manager).parse(content, "");
      return { object, animations: object.animations };
    }
    default: {
      const { scene, animations } = await gltfLoader(manager).parseAsync(content, "");
      return { object: scene, animations };
    }
  }
}

function still(object: Object3D): Parsed {
  return { object, animations: [] };
}

/**
 * The page may request nothing but the server's files. So pictures inside a file are shown as
 * elements instead of requested, and data inside its text is decoded here.
 */
function gltfLoader(manager: LoadingManager): GLTFLoader {
  return new GLTFLoader(manager).register((parser) => {
    parser.textureLoader = new TextureLoader(manager);
    const { fileLoader } = parser;
    const load = fileLoader.load.bind(fileLoader);
    fileLoader.load = (url, onLoad, onProgress, onError) => {
      if (!url.startsWith("data:")) return load(url, onLoad, onProgress, onError);
      try {
        onLoad?.(bytesOf(url).buffer);
      } catch (error) {
        onError?.(error);
      }
    };
    return { name: "files_of_this_server" };
  });
}

function bytesOf(url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (each) => each.charCodeAt(0));
}

function clay(geometry: BufferGeometry): Mesh {
  return new Mesh(geometry, new MeshStandardMaterial({ color: CLAY, roughness: 0.8 }));
}

/** Leads names in a file to files in its own folder on the server; all others to nothing. */
function managerBeside(url: string): LoadingManager {
  const manager = new LoadingManager();
  manager.setURLModifier((asked) => addressBeside(url, asked));
  return manager;
}

export interface Size {
  middle: Vector3;
  radius: number;
  triangles: number;
}

export function sizeOf(model: Object3D): Size {
  const box = new Box3().setFromObject(model);
  let triangles = 0;
  model.traverse((each) => {
    if (!(each instanceof Mesh) || !(each.geometry instanceof BufferGeometry)) return;
    const { index, attributes } = each.geometry;
    triangles += Math.floor((index?.count ?? attributes.position?.count ?? 0) / 3);
  });
  if (box.isEmpty()) return { middle: new Vector3(), radius: 1, triangles };
  return {
    middle: box.getCenter(new Vector3()),
    radius: box.getSize(new Vector3()).length() / 2 || 1,
    triangles,
  };
}
