/** Pictures of the camera of this computer: taken in a field, or before a run. */
import { uploadFile } from "../../api/upload";
import { setValue } from "../../document/edit";
import { graphsOf } from "../../document/levels";
import { t } from "../../words/words";
import { inputsOf } from "../nodes/inputs";
import { currentValue } from "../nodes/shape";
import { editAt, schemaOf, type Tab } from "../studio";
import { namedValue } from "./fileValue";

/** In milliseconds: the first pictures of many cameras are dark. */
const WARM_UP = 400;

/**
 * Turns the camera on.
 *
 * @throws {Error} with the reason and what to do, where there is no camera or it may not be used.
 */
export async function openCamera(): Promise<MediaStream> {
  // Absent on pages that are not secure; the type does not say so.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new Error(
      t("This page may not use a camera: browsers allow it on https and on localhost only."),
    );
  }
  try {
    return await devices.getUserMedia({ video: true });
  } catch (error) {
    throw new Error(reasonFor(error), { cause: error });
  }
}

function reasonFor(error: unknown): string {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
      return t(
        "The camera was not allowed. Allow it for this page beside its address, then try again.",
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return t("No camera was found. Connect one, then try again.");
    case "NotReadableError":
      return t("The camera gives no picture. Another program may be using it.");
    default:
      return t("The camera cannot be used: {{reason}}", { reason: String(error) });
  }
}

export function closeCamera(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** The picture that a video shows now, as a file. */
export async function pictureOf(video: HTMLVideoElement): Promise<File> {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done));
  if (blob === null)
    throw new Error(t("The camera gives no picture. Another program may be using it."));
  return new File([blob], `webcam-${Date.now()}.png`, { type: "image/png" });
}

/** Takes a picture for each node of a document that wants a new one at each run. */
export async function capturePictures(tab: Tab): Promise<void> {
  const wanted = graphsOf(tab.workflow).flatMap(({ nodes }, graph) =>
    Object.values(nodes).flatMap((node) => {
      const schema = schemaOf(node.type);
      const inputs = schema === undefined ? [] : inputsOf(schema, node);
      const input = inputs.find(({ type }) => type === "WEBCAM");
      const always = inputs.find(({ name }) => name === "capture_on_queue");
      const isWanted = always !== undefined && currentValue(node, always) === true;
      return input !== undefined && isWanted ? [{ graph, key: node.key, name: input.name }] : [];
    }),
  );
  if (wanted.length === 0) return;
  const stream = await openCamera();
  try {
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = stream;
    await video.play();
    await new Promise((done) => setTimeout(done, WARM_UP));
    const signal = new AbortController().signal;
    const file = await uploadFile(await pictureOf(video), { onProgress: () => undefined, signal });
    const label = "Take a picture with the camera";
    editAt(
      tab,
      label,
      (_, workflow) => {
        for (const { graph, key, name } of wanted) {
          const found = graphsOf(workflow)[graph];
          if (found !== undefined) setValue(found, key, name, namedValue(file));
        }
      },
      label,
      true,
    );
  } finally {
    closeCamera(stream);
  }
}
