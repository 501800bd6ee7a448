/** The services that fields need: pictures of choices, lists of files, completions, history. */

import { viewUrl } from "../../api/client";
import type { InputSchema } from "../../api/types";
import { type Json, parseJson, writeJson } from "../../document/json";
import { fileOf, mediaOf, placeOfValues } from "../nodes/fileValue";
import { isOfKind, kindOfFile, type MediaKind } from "../nodes/mediaTypes";
import type { Editor } from "../session/editor";
import { client } from "../session/server";
import { notifyError } from "../session/view";
import { recentChoices, recordChoice, starChoice, starredChoices } from "./choiceHistory";

/** The folders of weights whose files the loaders' widgets list. */
const FOLDERS: Readonly<Record<string, string>> = {
  ckpt_name: "checkpoints",
  lora_name: "loras",
  vae_name: "vae",
  unet_name: "diffusion_models",
  control_net_name: "controlnet",
  style_model_name: "style_models",
  model_name: "upscale_models",
};

type Remote = Readonly<Record<string, unknown>>;

/** What fields of a document ask for. */
export const fieldServicesOf = (editor: Editor) => ({
  fileUrl(input: InputSchema, value: unknown): string | null {
    const file = fileOf(value, placeOfValues(input));
    return file && viewUrl(file);
  },
  camera: () => import("./cameraPictures"),
  thumbnail(input: InputSchema, choice: string): string | null {
    if (mediaOf(input) === "image") {
      const file = fileOf(choice, placeOfValues(input));
      return file === null || kindOfFile(file.filename) !== "image"
        ? null
        : viewUrl(file, "webp;60");
    }
    const folder = FOLDERS[input.name];
    return folder === undefined ? null : client.modelPreview(folder, choice);
  },
  listed(input: InputSchema): Promise<readonly unknown[]> | null {
    const { remote } = input.options;
    const route =
      typeof remote === "object" && remote !== null && "route" in remote ? remote.route : null;
    // Only routes of this server: a node's author must not make the page contact other hosts.
    if (typeof route !== "string" || !/^\/(?!\/)/.test(route)) return null;
    return import("./remote").then((all) => all.readRemote(route, remote as object as Remote));
  },
  async filesIn(place: "output" | "temp", kind: MediaKind): Promise<readonly string[]> {
    const names = await client.list(`/internal/files/${place}`);
    return names
      .map((each) => String(each).replace(/ \[\w+\]$/, ""))
      .filter((each) => isOfKind(each, kind))
      .map((each) => `${each} [${place}]`);
  },
  recent: recentChoices,
  starred: starredChoices,
  star: starChoice,
  chose: recordChoice,
  complete: async (word: string, place: { node: string; input: string } | null) =>
    (await import("./completions")).completionsFor(editor, word, place),
  json: {
    read(text: string): unknown {
      try {
        return text.trim() === "" ? null : parseJson(text);
      } catch {
        return undefined;
      }
    },
    write: (value: unknown) => writeJson(value as Json),
  },
  complain: notifyError,
});
