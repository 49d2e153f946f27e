@_exported import NablaTensor
@_exported import NablaNN
@_exported import NablaFormats
@_exported import NablaTraining
@_exported import NablaText
@_exported import NablaLanguage
@_exported import NablaRL
@_exported import NablaScaling
