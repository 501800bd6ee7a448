/** The camera of this computer, and the picture that it shows now. */
import { t } from "../../words/words";

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
