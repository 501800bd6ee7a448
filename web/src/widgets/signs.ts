/** The icons of what can be done to a node, the same on it, in every bar and in the legend. */
import { CircleSlash2, FoldVertical, Pin, SkipForward } from "lucide-react";

export const BypassSign = SkipForward;
export const MuteSign = CircleSlash2;
export const CollapseSign = FoldVertical;
export const PinSign = Pin;
