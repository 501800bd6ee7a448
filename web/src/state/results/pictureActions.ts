/** What can be done with a picture wherever it is shown: on a node, in a list, on the stage. */
import { create } from "zustand";
import { viewUrl } from "../../api/client";
import type { ImageFile } from "../../api/jobs";
import type { ListedJob } from "../../api/results";
import type { Point } from "../../document/graph";
import { isObject, parseJson } from "../../document/json";
import { t } from "../../words/words";
import { useRuns } from "../runs/runs";
import { notify, notifyError, useView } from "../view";
import { compareJobs, openLightbox, useLightbox } from "./lightbox";
import { giveAsInput, openResult, previewOf } from "./results";
import { picturesOf, showOnStage } from "./stage";

interface PictureSource {
  file: ImageFile;
  /** The job that made it; null where this page does not know it. */
  job: string | null;
  /** The node that shows it; null elsewhere. */
  node: string | null;
}

interface OpenedPictureMenu {
  picture: PictureSource;
  /** In screen coordinates. */
  at: Point;
}

export const usePictureMenu = create<{ opened: OpenedPictureMenu | null }>(() => ({
  opened: null,
}));

interface PictureAction {
  label: string;
  disabled?: boolean;
  run: () => void;
}

/** An attribute that names the picture of an element for the menu of the right button. */
export function pictureAttribute(file: ImageFile, job: string | null = null): string {
  const { filename, subfolder, type } = file;
  return JSON.stringify({ filename, subfolder, type, job });
}

/** The picture of an element, as `pictureAttribute` wrote it; null for none. */
export function pictureAt(target: EventTarget | null): PictureSource | null {
  const element = target instanceof Element ? target.closest("[data-picture]") : null;
  const written = element?.getAttribute("data-picture");
  if (element == null || written == null) return null;
  const found = parseJson(written);
  if (!isObject(found)) return null;
  const file = {
    filename: String(found.filename),
    subfolder: String(found.subfolder),
    type: String(found.type),
  };
  const node = element.closest(".react-flow__node")?.getAttribute("data-id") ?? null;
  return { file, job: typeof found.job === "string" ? found.job : jobOf(file), node };
}

/** The listed job whose picture this is. */
function jobOf(file: ImageFile): string | null {
  const found = useRuns.getState().past.find(({ preview_output: each }) => isSame(each, file));
  return found?.id ?? null;
}

function isSame(one: Partial<ImageFile> | undefined, other: ImageFile): boolean {
  return (
    one?.filename === other.filename &&
    (one.subfolder ?? "") === other.subfolder &&
    (one.type ?? "output") === other.type
  );
}

/** Opens the viewer, with all facts and actions where the job is listed. */
export function openPicture({ file, job }: PictureSource): void {
  const { past } = useRuns.getState();
  const index = past.findIndex(({ id }) => id === job);
  const listed = past[index];
  if (listed === undefined) {
    useView.setState({ lightbox: viewUrl(file) });
    return;
  }
  openLightbox("recent", index);
  if (!isSame(listed.preview_output, file)) useLightbox.setState({ wanted: file });
}

export function pictureActions(picture: PictureSource): (PictureAction | "line")[] {
  const { file, job } = picture;
  const pictures = picturesOf(useRuns.getState().past);
  const index = pictures.findIndex(({ id }) => id === job);
  const other = index === 0 ? pictures[1] : pictures[0];
  const safely = (action: () => Promise<void>) => () => void action().catch(notifyError);
  return [
    { label: t("Save the picture"), run: safely(() => savePicture(file)) },
    { label: t("Save without the workflow"), run: safely(() => saveWithoutWorkflow(file)) },
    { label: t("Copy the picture"), run: safely(() => copyPicture(file)) },
    "line",
    { label: t("Open in the viewer"), run: () => openPicture(picture) },
    {
      label: t("Show on the stage"),
      disabled: index < 0,
      run: () => job !== null && showOnStage(job),
    },
    {
      label: t("Compare with the latest"),
      disabled: index < 0 || other === undefined,
      run: () => compareJobs(pictures[index], other),
    },
    "line",
    { label: t("Use as an input"), run: () => giveAsInput(file) },
    {
      label: t("Open its workflow"),
      disabled: job === null,
      run: () => job !== null && void openResult(job),
    },
  ];
}

async function savePicture(file: ImageFile): Promise<void> {
  startDownload(viewUrl(file), file.filename);
}

function startDownload(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

/** The pixels as a PNG, without what the file says besides: no workflow, no prompt. */
async function pixelsOf(file: ImageFile): Promise<Blob> {
  const answer = await fetch(viewUrl(file));
  if (!answer.ok)
    throw new Error(t("{{name}} is no longer on the server.", { name: file.filename }));
  const bitmap = await createImageBitmap(await answer.blob());
  const surface = new OffscreenCanvas(bitmap.width, bitmap.height);
  surface.getContext("2d")?.drawImage(bitmap, 0, 0);
  bitmap.close();
  return await surface.convertToBlob({ type: "image/png" });
}

/** Downloads the pixels of a listed job's picture. */
export async function saveListedPicture(job: ListedJob): Promise<void> {
  const file = previewOf(job);
  if (file !== null) await saveWithoutWorkflow(file);
}

/** Downloads a picture's pixels only, so that it can be given away without its workflow. */
async function saveWithoutWorkflow(file: ImageFile): Promise<void> {
  const url = URL.createObjectURL(await pixelsOf(file));
  startDownload(url, `${file.filename.replace(/\.[^.]*$/, "")}_picture_only.png`);
  URL.revokeObjectURL(url);
}

async function copyPicture(file: ImageFile): Promise<void> {
  await navigator.clipboard.write([new ClipboardItem({ "image/png": pixelsOf(file) })]);
  notify(t("The picture is in the clipboard."));
}
