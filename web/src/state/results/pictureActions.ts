/** What can be done with a picture wherever it is shown: on a node, in a list, on the stage. */

import { create } from "zustand";
import { viewUrl } from "../../api/client";
import type { ImageFile } from "../../api/jobs";
import type { ListedJob } from "../../api/results";
import type { Point } from "../../document/graph";
import { isObject, parseJson } from "../../document/json";
import { t } from "../../words/words";
import { openFiles } from "../files/files";
import { useHistory } from "../outcomes/history";
import { isSameFile, type Medium, mediumOf, type Output, outputOf } from "../outcomes/outputs";
import { useRuns } from "../outcomes/runs";
import type { Editor } from "../session/editor";
import { client } from "../session/server";
import { notify, notifyError, useView } from "../session/view";
import { closeLightbox, compareSides, openLightbox, type Side, useLightbox } from "./lightbox";
import { giveAsInput, openResult } from "./results";
import { picturesOf, showOnStage } from "./stage";

interface PictureSource {
  file: ImageFile;
  medium: Medium;
  /** The job that made it; null where this page does not know it. */
  job: string | null;
  /** The node that shows it; null elsewhere. */
  node: string | null;
  /** The page that shows it: that of the editor, or of the stage's own window. */
  page: Document;
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
export function pictureAttribute(
  { file, medium }: Pick<Output, "file" | "medium">,
  job: string | null = null,
): string {
  return JSON.stringify({ ...file, medium, job });
}

/** The same for the file of a job; undefined where it has made none. */
export function pictureOf(job: ListedJob): string | undefined {
  const made = outputOf(job);
  return made === null ? undefined : pictureAttribute(made, job.id);
}

/**
 * The picture of an element: as `pictureAttribute` wrote it, else the file whose address the image
 * has. Null for none, as for a preview during a run.
 */
export function pictureAt(target: EventTarget | null): PictureSource | null {
  // Not `instanceof`: an element of the stage's own window is of another realm's class.
  const element = target as Element | null;
  if (element === null || typeof element.closest !== "function") return null;
  const named = element.closest("[data-picture]");
  const found = named === null ? fileOfImage(imageAt(element)) : writtenOn(named);
  if (found === null) return null;
  const node = element.closest(".react-flow__node")?.getAttribute("data-id") ?? null;
  const page = element.ownerDocument;
  return { ...found, job: found.job ?? jobOf(found.file), node, page };
}

/** Opens the menu of an image at a button. */
export function openPictureMenu(image: Element | null, button: Element): void {
  const picture = pictureAt(image);
  const { left, bottom } = button.getBoundingClientRect();
  if (picture !== null)
    usePictureMenu.setState({ opened: { picture, at: { x: left, y: bottom } } });
}

type Named = Pick<PictureSource, "file" | "medium" | "job">;

function writtenOn(element: Element): Named | null {
  const found = parseJson(element.getAttribute("data-picture") ?? "");
  if (!isObject(found)) return null;
  const file = {
    filename: String(found.filename),
    subfolder: String(found.subfolder),
    type: String(found.type),
  };
  const medium = (found.medium ?? mediumOf(file)) as Medium;
  return { file, medium, job: typeof found.job === "string" ? found.job : null };
}

/** The image itself, or the only one in the button that has the focus. */
function imageAt(element: Element): Element | null {
  if (element.localName === "img") return element;
  const images = element.localName === "button" ? element.querySelectorAll("img") : [];
  return images.length === 1 ? (images[0] ?? null) : null;
}

/** The file that an image shows, from its address; null for another address. */
function fileOfImage(image: Element | null): Named | null {
  const file = fileAt(image?.getAttribute("src") ?? "");
  return file === null ? null : { file, medium: "image", job: null };
}

/** The file of an address that `viewUrl` made; null for another address. */
function fileAt(url: string): ImageFile | null {
  const [route, query = ""] = url.split("?");
  const given = new URLSearchParams(query);
  const filename = given.get("filename");
  if (!route?.endsWith("api/view") || filename === null) return null;
  return {
    filename,
    subfolder: given.get("subfolder") ?? "",
    type: given.get("type") ?? "output",
  };
}

/** The listed job whose picture this is. */
function jobOf(file: ImageFile): string | null {
  return useRuns.getState().past.find((each) => represents(file, each))?.id ?? null;
}

function represents(file: ImageFile, job: ListedJob | undefined): boolean {
  const made = job === undefined ? null : outputOf(job);
  return made !== null && isSameFile(made.file, file);
}

/** A job that the newest results or the gallery list. */
function listedJob(id: string | null): ListedJob | undefined {
  if (id === null) return undefined;
  const listed = useRuns.getState().past.find((each) => each.id === id);
  return listed ?? useHistory.getState().jobs.find((each) => each?.id === id);
}

type Opened = Pick<PictureSource, "file" | "job"> & { page?: Document };

/** Opens the viewer, with all facts and actions where the job is known. */
export function openPicture({ file, job, page = document }: Opened): void {
  const id = job ?? jobOf(file);
  const { past } = useRuns.getState();
  const index = past.findIndex((each) => each.id === id);
  const within = page === document ? null : page;
  const show = (listed: ListedJob | undefined) => {
    openLightbox("recent", index, listed);
    const wanted = represents(file, listed) ? null : file;
    useLightbox.setState({ wanted, within });
  };
  const showAlone = () => {
    useLightbox.setState({ within });
    useView.setState({ lightbox: viewUrl(file) });
  };
  const listed = listedJob(id);
  if (listed !== undefined) show(listed);
  else if (id === null) showAlone();
  // It may have been removed from the history: then its picture is all there is.
  else client.job(id).then(show, showAlone);
}

/** Opens the viewer on the image of an address. */
export function openPictureAt(url: string, job: string | null = null): void {
  const file = fileAt(url);
  if (file === null) useView.setState({ lightbox: url });
  else openPicture({ file, job });
}

export function pictureActions(editor: Editor, picture: PictureSource): (PictureAction | "line")[] {
  const { file, medium, job, page } = picture;
  const pictures = picturesOf(useRuns.getState().past);
  const listed = listedJob(job);
  const other = pictures.find(({ id }) => id !== job);
  const safely = (action: () => Promise<void>) => () => void action().catch(notifyError);
  /** What happens beside the viewer cannot be seen behind it. */
  const leaving = (action: () => void) => () => {
    closeLightbox();
    action();
  };
  const origin = {
    label: t("Open its workflow"),
    run: leaving(() => void (job === null ? openWorkflowIn(editor, file) : openResult(job))),
  };
  const isInViewer = useView.getState().lightbox !== null || useLightbox.getState().shelf !== null;
  const view = {
    label: t("Open in the viewer"),
    disabled: isInViewer,
    run: () => openPicture(picture),
  };
  if (medium !== "image") {
    return [{ label: t("Save the file"), run: () => saveFile(file) }, view, origin];
  }
  return [
    { label: t("Save the picture"), run: () => saveFile(file) },
    { label: t("Save without the workflow"), run: safely(() => saveWithoutWorkflow(file)) },
    { label: t("Copy the picture"), run: safely(() => copyPicture(file, page)) },
    "line",
    view,
    {
      label: t("Show on the stage"),
      disabled: listed === undefined,
      run: leaving(() => listed !== undefined && showOnStage(listed)),
    },
    {
      label: t("Compare with the latest"),
      disabled: other === undefined,
      run: leaving(() => other !== undefined && compareSides(sideOf(picture), other)),
    },
    "line",
    { label: t("Use as an input"), run: leaving(() => giveAsInput(editor, file)) },
    origin,
  ];
}

function sideOf({ file, job }: PictureSource): Side {
  return { file, label: file.filename, job };
}

/** Opens the workflow in a picture that no known run has made, or says that it has none. */
async function openWorkflowIn(editor: Editor, file: ImageFile): Promise<void> {
  try {
    const answer = await fetch(viewUrl(file));
    if (!answer.ok)
      throw new Error(t("{{name}} is no longer on the server.", { name: file.filename }));
    const content = await answer.blob();
    await openFiles(editor, [new File([content], file.filename, { type: content.type })], null);
  } catch (error) {
    notifyError(error);
  }
}

function saveFile(file: ImageFile): void {
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
  const made = outputOf(job);
  if (made !== null) await saveWithoutWorkflow(made.file);
}

/** Downloads a picture's pixels only, so that it can be given away without its workflow. */
async function saveWithoutWorkflow(file: ImageFile): Promise<void> {
  const url = URL.createObjectURL(await pixelsOf(file));
  startDownload(url, `${file.filename.replace(/\.[^.]*$/, "")}_picture_only.png`);
  URL.revokeObjectURL(url);
}

/** Through the page that has the focus: another's clipboard is refused. */
async function copyPicture(file: ImageFile, page: Document): Promise<void> {
  const { navigator, ClipboardItem: Item } = page.defaultView ?? window;
  await navigator.clipboard.write([new Item({ "image/png": pixelsOf(file) })]);
  notify(t("The picture is in the clipboard."));
}
