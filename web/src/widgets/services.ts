/**
 * The services that fields need from the editor. Fields make no requests and access no document
 * themselves: the component that renders them provides this context once for all.
 */
import { createContext, useContext } from "react";
import type { InputSchema } from "../api/types";

/** `file`: any file, which no field shows. */
export type MediaKind = "image" | "video" | "audio" | "model" | "file";

/** A file that a value names, in a form that the page can show. */
export interface Media {
  kind: MediaKind;
  url: string;
  name: string;
}

export interface Completion {
  text: string;
  /** The text to insert; `text` if it is not given. */
  insert?: string;
  detail: string;
  /** What choosing it does besides, before the text changes; null if nothing was done. */
  choose?: () => ChoiceEffect | null;
}

/** What a choice did besides the text. Undo and redo get the text, too; false: not possible now. */
export interface ChoiceEffect {
  undo: () => boolean;
  redo: () => boolean;
}

/** The node and the input of a field. */
interface FieldPlace {
  node: string;
  input: string;
}

/** The camera of this computer; its errors say what to do. */
export interface CameraServices {
  openCamera: () => Promise<MediaStream>;
  closeCamera: (stream: MediaStream) => void;
  pictureOf: (video: HTMLVideoElement) => Promise<File>;
}

interface FieldServices {
  /** The address of the file that a value names; null for none. */
  fileUrl: (input: InputSchema, value: unknown) => string | null;
  camera: () => Promise<CameraServices>;
  /** The address of a thumbnail of a choice; null if there can be none. */
  thumbnail: (input: InputSchema, choice: string) => string | null;
  /** Requests the choices from the server; null if they are known without a request. */
  listed: (input: InputSchema) => Promise<readonly unknown[]> | null;
  /** The files of a folder, as values: `name.png [output]`. */
  filesIn: (place: "output" | "temp", kind: MediaKind) => Promise<readonly string[]>;
  recent: (input: InputSchema) => readonly string[];
  starred: (input: InputSchema) => readonly string[];
  star: (input: InputSchema, choice: string) => void;
  /** Records that a choice was made. */
  chose: (input: InputSchema, choice: string) => void;
  /** The completions of a word in a prompt, the most likely first. */
  complete: (word: string, place: FieldPlace | null) => Promise<readonly Completion[]>;
  /** JSON with integers of any size; `read` gives undefined for a text that is none. */
  json: { read: (text: string) => unknown; write: (value: unknown) => string };
  /** Reports an error to the user. */
  complain: (error: unknown) => void;
}

const NONE: FieldServices = {
  fileUrl: () => null,
  camera: () => Promise.reject(new Error("There is no camera here.")),
  thumbnail: () => null,
  listed: () => null,
  filesIn: () => Promise.resolve([]),
  recent: () => [],
  starred: () => [],
  star: () => undefined,
  chose: () => undefined,
  complete: () => Promise.resolve([]),
  json: { read: () => undefined, write: String },
  complain: () => undefined,
};

export const FieldServicesContext = createContext<FieldServices>(NONE);

export function useFieldServices(): FieldServices {
  return useContext(FieldServicesContext);
}
