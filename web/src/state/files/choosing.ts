/** The browser's dialog for files to open: workflows, and pictures or sounds with one inside. */
import type { Editor } from "../session/editor";
import { openFiles } from "./files";

const ACCEPTED = ".json,.safetensors,.latent,.glb,image/*,video/*,audio/*";

/** Asks for files and opens them; `onChosen` is called once some are chosen. */
export function chooseFiles(editor: Editor, onChosen: () => void = () => undefined): void {
  const chooser = document.createElement("input");
  chooser.type = "file";
  chooser.multiple = true;
  chooser.accept = ACCEPTED;
  chooser.addEventListener("change", () => {
    void openFiles(editor, chooser.files ?? [], { x: 0, y: 0 });
    onChosen();
  });
  chooser.click();
}
