/**
 * A file on the server: chosen from its folders, uploaded, or pasted from the clipboard. The canvas
 * handles drops elsewhere on the node, and pasting; all end in `onFile`.
 */
import { Brush, ClipboardPaste, FolderSearch, Upload, X } from "lucide-react";
import { type DragEvent, Suspense, useRef, useState } from "react";
import type { InputSchema } from "../api/types";
import { t } from "../words/words";
import { besideField } from "./besideField";
import { ComboField } from "./ComboField";
import { LazyMenu } from "./LazyMenu";
import type { MenuItem } from "./Menu";
import { part } from "./part";
import { type MediaKind, useFieldServices } from "./services";

export interface MediaAct {
  kind: MediaKind;
  /** The uploaded share of a file, from 0 to 1; null if there is no upload. */
  progress: number | null;
  /** Why the last upload failed. */
  error: string | null;
  onFile: (file: File) => void;
  /** Cancels the upload. */
  onStop: () => void;
  /** Opens the mask editor; absent if it is not available. */
  onMask?: (() => void) | undefined;
}

const ChoiceList = part(() => import("./ChoiceList").then((all) => all.ChoiceList));

interface Props {
  label: string;
  input: InputSchema;
  value: unknown;
  media: MediaAct;
  onChange: (value: unknown) => void;
}

const ACCEPTED: Readonly<Record<MediaKind, string>> = {
  image: "image/*",
  video: "video/*,image/gif,image/webp",
  audio: "audio/*,video/*",
  model: "",
  file: "",
};
const TAKEN: Readonly<Record<MediaKind, RegExp>> = {
  image: /^image\//,
  video: /^(video\/|image\/(gif|webp)$)/,
  audio: /^(audio|video)\//,
  model: /^/,
  file: /^/,
};
const BRING: Readonly<Record<MediaKind, string>> = {
  image: "Upload an image",
  video: "Upload a video",
  audio: "Upload an audio file",
  model: "Upload a file",
  file: "Upload a file",
};

export function MediaField({ label, input, value, media, onChange }: Props) {
  const chooser = useRef<HTMLInputElement>(null);
  const { kind, progress, error, onFile, onStop, onMask } = media;
  const take = (event: DragEvent) => {
    const [file] = event.dataTransfer.files;
    if (file === undefined || !TAKEN[kind].test(file.type)) return;
    event.preventDefault();
    event.stopPropagation();
    onFile(file);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the button beside it does the same by keyboard
    <div className="media" onDragOver={(event) => event.preventDefault()} onDrop={take}>
      <div className="row">
        <ComboField
          label={label}
          input={input}
          value={value}
          choices={input.choices ?? []}
          onChange={onChange}
        />
        <More input={input} value={value} media={media} onChange={onChange} />
        {onMask !== undefined && (
          <IconButton words={t("Edit the mask")} icon={Brush} onClick={onMask} />
        )}
        <IconButton words={t(BRING[kind])} icon={Upload} onClick={() => chooser.current?.click()} />
        <input
          ref={chooser}
          type="file"
          accept={ACCEPTED[kind]}
          hidden
          onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file !== undefined) onFile(file);
            event.currentTarget.value = "";
          }}
        />
      </div>
      {progress !== null && (
        <div className="bringing">
          <progress value={progress} aria-label={t("Uploading the file")} />
          <IconButton words={t("Cancel the upload")} icon={X} onClick={onStop} />
        </div>
      )}
      {error !== null && (
        <p className="bring-error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

interface IconProps {
  words: string;
  icon: typeof Upload;
  onClick: () => void;
}

function IconButton({ words, icon: Icon, onClick }: IconProps) {
  return (
    <button type="button" className="field icon" aria-label={words} title={words} onClick={onClick}>
      <Icon size={13} aria-hidden />
    </button>
  );
}

/** A menu of other sources: results of earlier runs, and the clipboard. */
function More({ input, value, media, onChange }: Omit<Props, "label">) {
  const services = useFieldServices();
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const [files, setFiles] = useState<readonly string[] | null>(null);
  const list = (place: "output" | "temp") =>
    services.filesIn(place, media.kind).then(setFiles, services.complain);
  const paste = () =>
    clipboardPicture().then((file) => {
      if (file !== null) media.onFile(file);
      else services.complain(new Error(t("There is no image in the clipboard.")));
    }, services.complain);
  const items = elsewhere(
    media.kind,
    (place) => void list(place),
    () => void paste(),
  );
  return (
    <>
      <button
        ref={button}
        type="button"
        className="field icon"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={t("Other sources")}
        title={t("Other sources")}
        onClick={() => setOpen(true)}
      >
        <FolderSearch size={13} aria-hidden />
      </button>
      {open && button.current !== null && (
        <LazyMenu
          at={besideField(button.current)}
          label={t("Other sources")}
          items={items}
          onClose={() => setOpen(false)}
        />
      )}
      {files !== null && button.current !== null && (
        <Suspense>
          <ChoiceList
            anchor={button.current}
            label={t("Files")}
            input={input}
            chosen={[value]}
            choices={files}
            missing={null}
            onClose={() => setFiles(null)}
            onChoose={(choice) => {
              setFiles(null);
              onChange(choice);
            }}
          />
        </Suspense>
      )}
    </>
  );
}

function elsewhere(
  kind: MediaKind,
  list: (place: "output" | "temp") => void,
  paste: () => void,
): MenuItem[] {
  const folders: MenuItem[] = [
    { label: t("From the results"), icon: FolderSearch, run: () => list("output") },
    { label: t("From temporary files"), run: () => list("temp") },
  ];
  if (kind !== "image") return folders;
  return [...folders, "line", { label: t("From the clipboard"), icon: ClipboardPaste, run: paste }];
}

async function clipboardPicture(): Promise<File | null> {
  for (const item of await navigator.clipboard.read()) {
    const type = item.types.find((each) => each.startsWith("image/"));
    if (type === undefined) continue;
    const name = `${t("pasted")}.${type.slice("image/".length)}`;
    return new File([await item.getType(type)], name, { type });
  }
  return null;
}
