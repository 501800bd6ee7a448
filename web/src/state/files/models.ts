/** The weights on this server, and the node that loads each kind. */

import type { ModelFile } from "../../api/client";
import { t } from "../../words/words";
import { changeValue, placeNode } from "../editing/actions";
import { canvas } from "../session/canvas";
import type { Editor } from "../session/editor";
import { schemaOf } from "../session/studio";
import { notify } from "../session/view";

/** The class that loads a kind of weights, and the input that names the file. */
const LOADERS: Readonly<Record<string, readonly [string, string]>> = {
  checkpoints: ["CheckpointLoaderSimple", "ckpt_name"],
  loras: ["LoraLoader", "lora_name"],
  vae: ["VAELoader", "vae_name"],
  text_encoders: ["CLIPLoader", "clip_name"],
  diffusion_models: ["UNETLoader", "unet_name"],
  clip_vision: ["CLIPVisionLoader", "clip_name"],
  style_models: ["StyleModelLoader", "style_model_name"],
  controlnet: ["ControlNetLoader", "control_net_name"],
  gligen: ["GLIGENLoader", "gligen_name"],
  upscale_models: ["UpscaleModelLoader", "model_name"],
  hypernetworks: ["HypernetworkLoader", "hypernetwork_name"],
  ipadapter: ["LoadIPAdapter", "ip_adapter_name"],
};

/** Adds the node that loads a file; a notice reports where the server has none for its kind. */
export function addLoader(editor: Editor, kind: string, { name }: ModelFile): void {
  const [type, input] = LOADERS[kind] ?? [];
  const schema = type === undefined ? undefined : schemaOf(type);
  const handle = canvas();
  if (schema === undefined || input === undefined) {
    notify(t("No node of this server loads {{kind}}.", { kind }));
    return;
  }
  if (handle === null) return;
  changeValue(editor, placeNode(editor, schema, handle.toGraph(handle.pointer())), input, name);
}
